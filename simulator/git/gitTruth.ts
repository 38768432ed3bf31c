export interface TruthSignature {
  /** Null when the bytes are no valid UTF-8, after git's recoding from the object's `encoding`. */
  name: string | null;
  name_base64: string;
  email: string | null;
  email_base64: string;
  /** ISO 8601 UTC, `+00:00`. */
  date: string;
  seconds: number;
  zone: string;
}

/** One line of the canonical truth; the git part of `GET /_simulator/state`. */
export type GitTruth =
  | { kind: 'branch'; name: string; target: string }
  | {
      kind: 'tag';
      name: string;
      target: string;
      annotated: boolean;
      message: string | null;
      tagger: string | null;
      date: string | null;
    }
  | {
      kind: 'commit';
      hash: string;
      parents: string[];
      author: TruthSignature;
      committer: TruthSignature;
      /** The `encoding` header, null for UTF-8. */
      encoding: string | null;
      /** Null when no valid UTF-8 even after recoding. */
      message: string | null;
      /** The bytes of the object, not recoded. */
      message_base64: string;
      lines_added: number;
      lines_removed: number;
      files_changed: number;
    }
  | {
      kind: 'commit_file';
      commit: string;
      path: string | null;
      path_base64: string;
      /** Both null unless renamed. */
      old_path: string | null;
      old_path_base64: string | null;
      status: 'added' | 'removed' | 'modified' | 'renamed' | 'type_changed';
      /** Null for a binary file. */
      lines_added: number | null;
      lines_removed: number | null;
      binary: boolean;
    };
