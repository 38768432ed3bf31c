import { segment } from './connectionCheck/target.ts';

/** A repository by its uuid (in braces) alone, whatever its workspace is called, and itself (facts 3). */
export const repositoryPath = (uuid: string): string => `/repositories/${segment('{}')}/${segment(uuid)}`;
