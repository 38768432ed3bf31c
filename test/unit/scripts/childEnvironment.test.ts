import { expect, test } from 'vitest';
import { childEnvironment } from '../../../scripts/start/childEnvironment.ts';

test('what npm start sets wins, in whichever of the two ways a secret was given', () => {
  const persons = {
    PATH: '/bin',
    LOG_LEVEL: 'debug',
    BITBUCKET_OAUTH_SECRET_FILE: '/run/secrets/oauth',
    SEALING_PRIVATE_KEYS: '{}',
    OTHER_FILE: 'kept',
  };
  const set = { LOG_LEVEL: 'info', BITBUCKET_OAUTH_SECRET: 'a', SEALING_PRIVATE_KEYS_FILE: 'b' };
  expect(childEnvironment(persons, set)).toEqual({ PATH: '/bin', OTHER_FILE: 'kept', ...set });
});
