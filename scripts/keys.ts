import { parseArgs } from 'node:util';
import { generateKeys, KEY_FILES, listKeys, rotateKeys } from './keys/keyFolder.ts';

const USAGE = `Keys that seal secrets, the key of the idempotency fingerprints, and the key of the webhooks' secrets.

  npm run keys -- generate --folder FOLDER   make them (a folder that has them gets only what it lacks)
  npm run keys -- rotate   --folder FOLDER   seal with a new key from now on; old private keys stay
  npm run keys -- list     --folder FOLDER   show key ids and their age, never a key

Give ${KEY_FILES.publicKey} and ${KEY_FILES.idempotencySecret} to the api, ${KEY_FILES.privateKeys} to the worker
only, and ${KEY_FILES.webhookKey} to both. After a rotation restart the workers first, then the api.`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { folder: { type: 'string' }, help: { type: 'boolean' } },
    allowPositionals: true,
  });
  const [command] = positionals;
  if (values.help === true || command === undefined) {
    console.log(USAGE);
    return;
  }
  const { folder } = values;
  if (folder === undefined) throw new Error('--folder FOLDER is missing.');
  if (command === 'generate') {
    const { created, added, keyId } = await generateKeys(folder);
    const rest = added.length === 0 ? 'nothing changed' : `added ${added.join(', ')}`;
    console.log(
      created ? `Made key ${keyId} in ${folder}.` : `${folder} has keys already (${keyId}); ${rest}.`,
    );
  } else if (command === 'rotate') {
    const { keyId, kept } = await rotateKeys(folder);
    console.log(
      `New secrets are sealed with ${keyId}. Old private keys kept: ${kept}. Restart the workers, then the api.`,
    );
  } else if (command === 'list') {
    const { current, keys } = await listKeys(folder);
    for (const key of keys) {
      console.log(
        `${key.keyId}  made ${key.createdAt}${key.keyId === current ? '  (seals new secrets)' : ''}`,
      );
    }
  } else {
    throw new Error(`There is no command "${command}".`);
  }
}

try {
  await main();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 1;
}
