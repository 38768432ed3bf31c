import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GitProcesses } from './gitProcess.ts';
import { type GitAnswer, handleGitRequest, readGitAnswer } from './httpBackend.ts';
import { createRecentlyUsed } from './recentlyUsed.ts';

const ADVERTISEMENT = '/info/refs?service=git-upload-pack';
/** How `git ls-remote` and every fetch begin in protocol 2. */
const LS_REFS = /^[0-9a-f]{4}command=ls-refs\n/;
/** A longer question is about objects. */
const LONGEST_QUESTION = 16 * 1024;

/**
 * Answers git's HTTP requests, and remembers what a repository said about its refs until it changes: thousands of
 * `git ls-remote` then start no process of ours.
 */
export function createRefsAnswers(processes: GitProcesses) {
  const remembered = createRecentlyUsed<GitAnswer>(64);

  /** The request's body where it can be a question about refs. */
  async function questionOf(request: IncomingMessage, subPath: string): Promise<Buffer | undefined> {
    if (request.method === 'GET' && subPath === ADVERTISEMENT) return Buffer.alloc(0);
    const length = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
    const isPlain = request.headers['content-encoding'] === undefined;
    if (request.method !== 'POST' || subPath !== '/git-upload-pack' || !isPlain || length > LONGEST_QUESTION)
      return undefined;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  }

  /** `version` tells one state of the repository from the next. */
  return async (
    place: { folder: string; directory: string; version: number },
    request: IncomingMessage,
    response: ServerResponse,
    subPath: string,
  ): Promise<void> => {
    const question = await questionOf(request, subPath);
    const isAboutRefs =
      question !== undefined && (question.length === 0 || LS_REFS.test(question.toString('latin1', 0, 64)));
    if (!isAboutRefs) return handleGitRequest(processes, place, request, response, subPath, question);
    const protocol = String(request.headers['git-protocol'] ?? '');
    const key = [place.directory, place.version, protocol, subPath, question.toString('latin1')];
    const { status, headers, body } = await remembered.get(JSON.stringify(key), () =>
      readGitAnswer(processes, place, request, subPath, question),
    );
    response.writeHead(status, [...headers, ['content-length', String(body.length)]].flat());
    response.end(body);
  };
}
