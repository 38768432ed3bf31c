const MINIMUM = { major: 20, minor: 19 };

/**
 * Says what is wrong with a Node version, or nothing when it will do. Written without newer syntax, so that an old
 * Node can still run it.
 * @param {string} version such as "20.19.0"
 * @returns {string | undefined} a message with what to do
 */
export function nodeVersionProblem(version) {
  const parts = version.split('.').map(Number);
  const major = parts[0] || 0;
  const minor = parts[1] || 0;
  if (major > MINIMUM.major || (major === MINIMUM.major && minor >= MINIMUM.minor)) return undefined;
  const needed = `${MINIMUM.major}.${MINIMUM.minor}`;
  return (
    `this project needs Node ${needed} or newer, and this is Node ${version}.\n` +
    `  To mend it: install a current release from https://nodejs.org, or run "nvm install ${MINIMUM.major}".`
  );
}
