import { EngineError } from '../engineError.ts';

/** An estimate is soon made anew, so it ends with a pause instead of waiting for its end. */
export const estimatePaused = (): EngineError =>
  new EngineError('estimate_paused', {
    code: 'paused',
    message: 'A person paused the integration while the estimate was made.',
    remedy: 'Resume it, then ask for the estimate again.',
  });
