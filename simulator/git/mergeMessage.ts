/** What a merge commit's message tells about the pull request it came from. */
export interface MergeMessage {
  title: string;
  /** What follows the title; may be empty. */
  description: string;
  /** Null when the message does not tell. */
  sourceBranch: string | null;
}

/** Subjects that hosts and git itself write, with the branch they name. The title then stands below. */
const HOSTED: RegExp[] = [
  // GitHub: the branch follows its owner.
  /^Merge pull request #\d+ from [^/\s]+\/(?<branch>\S+)$/,
  // Bitbucket Server, and GitHub without an owner.
  /^Merge pull request #\d+ in \S+ from (?<branch>\S+) to \S+$/,
  /^Merge pull request #\d+ from (?<branch>\S+)$/,
  // Bitbucket Cloud; from a fork `owner/repository/branch` stays whole, since a branch may look like that.
  /^Merged in (?<branch>.+) \(pull request #\d+\)$/,
];

/** Git's own subjects, GitLab's too: these also serve as titles when nothing stands below. */
const PLAIN: RegExp[] = [
  /^Merge branch '(?<branch>[^']+)'/,
  /^Merge remote-tracking branch '(?:origin\/)?(?<branch>[^']+)'/,
];

/** Reads the forms of GitHub, Bitbucket, GitLab and git; any other subject is the title itself. */
export function readMergeMessage(message: string): MergeMessage {
  const [subject = '', ...rest] = message
    .trim()
    .split('\n')
    .map((line) => line.trimEnd());
  const body = rest.join('\n').trim();
  for (const form of [...HOSTED, ...PLAIN]) {
    const branch = form.exec(subject)?.groups?.branch;
    if (branch === undefined) continue;
    const [title = '', ...description] = body.split('\n');
    // A list of commits or a trailer below is no title.
    const usable = title !== '' && !/^(\* |# |[A-Z][\w-]+: |See merge request )/.test(title);
    return usable
      ? { title, description: description.join('\n').trim(), sourceBranch: branch }
      : { title: subject, description: body, sourceBranch: branch };
  }
  const server = /^Merge in \S+ from (?<branch>\S+) to \S+$/m.exec(body)?.groups?.branch;
  return { title: subject, description: body, sourceBranch: server ?? null };
}
