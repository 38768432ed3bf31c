/** The host's own addresses; on Bitbucket these are two hosts, here one origin. */
export interface Urls {
  /** Web and git: `https://bitbucket.org` there. */
  web: string;
  /** `https://api.bitbucket.org/2.0` there. */
  api: string;
}
