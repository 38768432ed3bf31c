/** A chunk that met a limit says when to go on; the workflow sleeps on a named timer. */
export interface Limited {
  /** ISO time */
  until: string;
  why: string;
}

/** Why something does not go on; `until`: where a time is known, ISO. */
export interface Waiting {
  until: string | null;
  why: string;
}
