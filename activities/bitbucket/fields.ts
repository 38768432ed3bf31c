/**
 * The `fields` parameter of the large lists (facts 3.3): `%2B` is the plus that adds what a list leaves out and keeps its
 * envelope; a minus leaves out what follows from other fields, so that it is neither sent, read nor stored: links of
 * everything, texts once more as HTML, and the pull request in each of its own entries. It halves the lists.
 */
const added = (...paths: string[]): string[] => paths.map((path) => `%2Bvalues.${path}`);
const without = (prefix: string, ...paths: string[]): string[] =>
  paths.map((path) => `-values.${prefix}${path}`);

const ENDS = ['source', 'destination'].flatMap((end) => [`${end}.repository.links`, `${end}.commit.links`]);
const COMMENT = ['links', 'user.links', 'pullrequest', 'content.html', 'resolution.user.links'];
const VOTE = ['user.links', 'pullrequest'];

/** Lists leave reviewers and participants out unless asked to add them (facts 3.7). */
export const PULL_REQUEST_FIELDS = [
  ...added('participants', 'reviewers'),
  ...without(
    '',
    'links',
    'summary',
    'rendered',
    'author.links',
    'closed_by.links',
    'merge_commit.links',
    ...ENDS,
  ),
  ...without('', 'participants.user.links', 'reviewers.links'),
].join(',');

/** A comment has the same parts left out as in its own list, so that it reads the same from both. */
export const ACTIVITY_FIELDS = [
  ...without('', 'pull_request.links'),
  ...without('update.', 'author.links', 'reviewers.links', ...ENDS),
  ...without('comment.', ...COMMENT),
  ...without('approval.', ...VOTE),
  ...without('changes_requested.', ...VOTE),
].join(',');

export const COMMENT_FIELDS = without('', ...COMMENT).join(',');
