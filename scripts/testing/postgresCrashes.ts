const CRASH = /LOG:.* was terminated by signal/;
const ITS_QUERY = /DETAIL: |^\t/;

/**
 * For the lines that a Postgres prints: tells of a process of it that crashed, and of the query that it was at. Such a crash
 * ends all connections, so tests fail that have nothing to do with it, and say nothing of it.
 */
export function tellCrashes(say: (message: string) => void): (line: string) => void {
  let isTold = false;
  return (line) => {
    isTold = CRASH.test(line) || (isTold && ITS_QUERY.test(line));
    if (isTold) say(`Postgres: ${line}`);
  };
}
