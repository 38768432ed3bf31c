import { createHash } from 'node:crypto';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './runCommand.mjs';
import { TEMPORAL_CLI_VERSION } from './temporalVersion.mjs';

const RELEASE = `https://github.com/temporalio/cli/releases/download/v${TEMPORAL_CLI_VERSION}`;
/** A machine without internet must reach the next way soon. */
const ANSWER_TIMEOUT_MS = 10_000;
/** A download that stands still this long is given up. */
const STALL_TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 5;
const GO_ARCHITECTURES = /** @type {Record<string, string>} */ ({ x64: 'amd64', arm64: 'arm64' });

/** @typedef {(url: string, init: RequestInit) => Promise<Response>} Fetch */

/**
 * Requests a file over HTTPS, redirects included (GitHub sends releases from another host).
 * @param {string} url
 * @param {Fetch} fetchFile
 * @param {AbortSignal} signal
 * @returns {Promise<Response>}
 */
async function request(url, fetchFile, signal) {
  let address = url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    if (!address.startsWith('https://')) throw new Error(`${url} leads to ${address}, which is not HTTPS`);
    const response = await fetchFile(address, { redirect: 'manual', signal });
    const location = response.headers.get('location');
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel();
      address = new URL(location, address).href;
      continue;
    }
    if (!response.ok) throw new Error(`${address} answered ${response.status}`);
    return response;
  }
  throw new Error(`${url} redirects more than ${MAX_REDIRECTS} times`);
}

/** @param {unknown} error @returns {string} with the cause, which is where fetch says what went wrong */
function inWords(error) {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}

/**
 * Downloads into a file, or to a text when `file` is left out, and says the SHA-256 of what came.
 * @param {string} url
 * @param {Fetch} fetchFile
 * @param {string} [file]
 * @returns {Promise<{ sha256: string, text: string }>}
 */
async function download(url, fetchFile, file) {
  const abort = new AbortController();
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  /** @param {number} ms @param {string} what */
  const giveUpAfter = (ms, what) => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(new Error(`${what} for ${ms / 1000} s`)), ms);
  };
  const hash = createHash('sha256');
  const decoder = new TextDecoder();
  const target = file === undefined ? undefined : await open(file, 'w');
  let text = '';
  try {
    giveUpAfter(ANSWER_TIMEOUT_MS, 'no answer');
    const response = await request(url, fetchFile, abort.signal);
    for await (const chunk of response.body ?? []) {
      giveUpAfter(STALL_TIMEOUT_MS, 'it stood still');
      hash.update(chunk);
      if (target === undefined) text += decoder.decode(chunk, { stream: true });
      else await target.writeFile(chunk);
    }
    return { sha256: hash.digest('hex'), text };
  } catch (error) {
    const why = inWords(abort.signal.aborted ? abort.signal.reason : error);
    throw new Error(`${url}: ${why}`, { cause: error });
  } finally {
    clearTimeout(timer);
    await target?.close();
  }
}

/**
 * The archive of the official release for a system, as the release names its files.
 * @param {NodeJS.Platform} platform
 * @param {string} architecture as Node calls it
 * @returns {string | undefined} nothing where no archive is published
 */
export function releaseArchive(platform, architecture) {
  const arch = GO_ARCHITECTURES[architecture];
  if (arch === undefined || (platform !== 'linux' && platform !== 'darwin')) return undefined;
  return `temporal_cli_${TEMPORAL_CLI_VERSION}_${platform}_${arch}.tar.gz`;
}

/**
 * Downloads the official CLI, checks it against the release's list of checksums, and unpacks `temporal` into a folder.
 * @param {object} options
 * @param {string} options.folder an empty folder of the caller, for the archive and what is in it
 * @param {NodeJS.Platform} options.platform
 * @param {string} options.architecture
 * @param {Fetch} [options.fetchFile]
 * @returns {Promise<string>} the unpacked executable; throws an Error that says why there is none
 */
export async function downloadTemporalCli({ folder, platform, architecture, fetchFile = fetch }) {
  const archive = releaseArchive(platform, architecture);
  if (archive === undefined) throw new Error(`no release is published for ${platform} ${architecture}`);

  const { text } = await download(`${RELEASE}/checksums.txt`, fetchFile);
  const line = text.split('\n').find((candidate) => candidate.trim().endsWith(` ${archive}`));
  const expected = line?.trim().split(/\s+/)[0];
  if (expected === undefined) throw new Error(`${RELEASE}/checksums.txt has no line for ${archive}`);

  const file = join(folder, archive);
  const { sha256 } = await download(`${RELEASE}/${archive}`, fetchFile, file);
  if (sha256 !== expected) {
    throw new Error(
      `${archive} is not what the release says (SHA-256 ${sha256}, expected ${expected}); it was thrown away`,
    );
  }
  const unpacked = await runCommand('tar', ['-xzf', file, '-C', folder, 'temporal']);
  await rm(file);
  if (!unpacked.ok) throw new Error(`${archive} could not be unpacked with tar: ${unpacked.reason}`);
  const executable = join(folder, 'temporal');
  if ((await stat(executable)).size === 0) throw new Error(`${archive} holds an empty file`);
  return executable;
}
