import type { UpdateDefinition } from '@temporalio/common';
import { setHandler } from '@temporalio/workflow';
import { type Refusal, refused } from '../refused.ts';
import { type Entity, integrationGone } from './entity.ts';

/** Registers one command: why it may be refused, and what it does. */
export type RegisterCommand = <Answer, Args>(
  definition: UpdateDefinition<Answer, [Args]>,
  description: string,
  refuse: (args: Args) => Refusal | null,
  run: (args: Args) => Promise<Answer>,
) => void;

/**
 * How commands are registered. Each is refused by its (synchronous) validator where the state forbids it. While something
 * else is under way the validator lets it pass: whoever read the new state in the row may command before this run knows
 * it. In its turn each is judged (again).
 */
export function createCommands(entity: Entity): RegisterCommand {
  return <Answer, Args>(
    definition: UpdateDefinition<Answer, [Args]>,
    description: string,
    refuse: (args: Args) => Refusal | null,
    run: (args: Args) => Promise<Answer>,
  ): void => {
    const judge = (args: Args): void => {
      if (entity.gone) throw integrationGone();
      const refusal = refuse(args);
      if (refusal !== null) throw refused(refusal);
    };
    setHandler(
      definition,
      (args: Args) =>
        entity.exclusive(async () => {
          judge(args);
          return run(args);
        }),
      { validator: (args: Args) => (entity.isBusy ? undefined : judge(args)), description },
    );
  };
}
