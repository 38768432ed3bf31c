import { ApplicationFailure } from '@temporalio/workflow';

/** Why a command is refused: the api's problem code, what is the matter, and what to do instead. */
export interface Refusal {
  code: string;
  message: string;
  fix: string;
}

/** An ApplicationFailure as the api expects it: type = problem code, first detail = `{message, fix}`. */
export const refused = (refusal: Refusal): ApplicationFailure =>
  ApplicationFailure.create({
    type: refusal.code,
    message: refusal.message,
    nonRetryable: true,
    details: [{ message: refusal.message, fix: refusal.fix }],
  });
