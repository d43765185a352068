import { type Command, Option } from 'commander';
import { Status } from '../../../connectors/mysql/operators/status';
import { adoptDeployment, readDeployment } from '../../../connectors/mysql/workers/deployment';
import { required } from '../../../topology/settings/environment';
import { ask, canAsk } from '../../console/confirm';
import { counted, formatCount } from '../../console/units';
import { sendersOf } from '../../inspect/database-report';
import { withKafka } from '../../inspect/kafka';
import { runningTopology } from '../../inspect/running-topology';
import { audited } from '../audited';
import { withWorkersPool } from '../database';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';

interface AdoptOptions extends ChangeOptions {
  readonly as: 'copy' | 'restored';
  readonly yes?: boolean;
}

/** `downspout adopt`. */
export function adoptCommand(): Command {
  return changingVerb(
    'adopt',
    'let the workers of this Kafka and namespace send what a copied or restored database holds',
    {
      example: 'downspout adopt --as copy --yes',
      fails: '--yes was not given',
    },
  )
    .addOption(
      new Option('--as <kind>', 'a copy, whose original may go on sending, or restored, in place of one that is gone')
        .choices(['copy', 'restored'])
        .makeOptionMandatory(),
    )
    .option('--yes', 'do it without asking')
    .addHelpText(
      'after',
      '\nA copy gets new idempotency keys. A restored database keeps its keys, so that receivers recognise what was sent after the backup;' +
        '\nwhat is planned from then on gets ids and plan numbers that the lost one cannot have used (needs ADMIN_DATABASE_URL).',
    )
    .action(async (options: AdoptOptions) => {
      const context = contextOf(options);
      const { environment } = context.settings;
      const namespace = environment.DOWNSPOUT_NAMESPACE;
      const cluster = await withKafka(environment, (admin) => admin.clusterId());
      await withWorkersPool(context, async (pool) => {
        const before = await readDeployment(pool);
        const senders = sendersOf(await runningTopology(pool, environment));
        const waiting = await new Status(pool, senders).waiting();
        const overdue = waiting.map((one) => ({ channel: one.channel, overdue: one.overdue }));
        const question = `Let the workers here send all of it${overdue.map((one) => `, ${formatCount(one.overdue)} of ${one.channel} at once`).join('')}?`;
        const wanted = options.yes === true || (!context.dryRun && canAsk() && (await ask(question)));
        const done = wanted && !context.dryRun;
        const adopt = () =>
          adoptDeployment(
            pool,
            cluster,
            namespace,
            options.as === 'restored'
              ? { restored: true, adminUrl: required(environment, 'ADMIN_DATABASE_URL') }
              : { restored: false },
          );
        const record = { verb: 'adopt', subject: `as ${options.as}`, before };
        const after = done
          ? await audited(
              context,
              record,
              async (change) => {
                change.after = await adopt();
                return change.after as typeof before;
              },
              { as: 'OPERATOR_DATABASE_URL' },
            )
          : before;
        if (!wanted && !context.dryRun) process.exitCode = 1;
        context.output.data({ adopted: done, before, after, overdue }, () =>
          [
            `The database belongs to Kafka cluster ${before.kafkaCluster ?? '(none yet)'} with namespace "${before.namespace ?? ''}".`,
            ...overdue.map(
              (one) =>
                `${one.channel}: ${counted(one.overdue, 'message is', 'messages are')} overdue and sent at once.`,
            ),
            done
              ? `Now it belongs to Kafka cluster ${cluster} with namespace "${namespace}". Workers that refused to start may be started.`
              : `Nothing was changed. With --yes it belongs to Kafka cluster ${cluster} with namespace "${namespace}".`,
          ].join('\n'),
        );
      });
    });
}
