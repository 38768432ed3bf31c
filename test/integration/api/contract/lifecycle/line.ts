/** What the tests of the line hand on, one to the next; empty until the one that makes it has run. */
export interface Line {
  integrationId: string;
  importId: string;
}
