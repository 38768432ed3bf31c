import type { Duplex } from 'node:stream';

/** Who signs in to the host (facts 1.7). */
export interface GitLogin {
  username: string;
  password: { reveal(): string };
  /** scheme and host that may be told, e.g. `https://bitbucket.org`; any other gets no answer */
  origin: string;
}

/**
 * git's credential helper: hands git's question to the worker over descriptor 3 (a socket that only this
 * process group inherits) and passes back the answer. Shell built-ins only, so the secret is in no argument,
 * variable of the environment or file.
 */
export const CREDENTIAL_HELPER =
  '!f() { test "$1" = get || exit 0; { cat; echo; } >&3; ' +
  'while IFS= read -r line <&3 && test -n "$line"; do printf \'%s\\n\' "$line"; done; }; f';

/**
 * Answers each question on the channel (lines `protocol=…`, `host=…`, ended by an empty line) with user name
 * and password, or with nothing where another host asks. git then ends with "could not read Username".
 */
export function answerCredentialRequests(channel: Duplex, login: GitLogin): void {
  let asked = '';
  channel.setEncoding('utf8');
  // git that is killed leaves a broken channel; its exit tells, not this
  channel.on('error', () => {});
  channel.on('data', (piece: string) => {
    asked += piece;
    for (let end = asked.indexOf('\n\n'); end !== -1; end = asked.indexOf('\n\n')) {
      const question = asked.slice(0, end).trim();
      asked = asked.slice(end + 2);
      if (question !== '') channel.write(answer(question, login));
    }
  });
}

function answer(question: string, login: GitLogin): string {
  const lines = question.split('\n');
  const value = (key: string) => lines.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1);
  const from = `${value('protocol') ?? ''}://${value('host') ?? ''}`;
  if (from !== login.origin) return '\n';
  return `username=${login.username}\npassword=${login.password.reveal()}\n\n`;
}
