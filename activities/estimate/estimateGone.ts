import { EngineError } from '../engineError.ts';

export const estimateGone = (): EngineError =>
  new EngineError('estimate_gone', {
    code: 'estimate_gone',
    message: 'The estimate was removed while it was made.',
    remedy: 'Ask for it again.',
  });
