import { version } from '../../runs/facts.js'
import type { WholeRun } from '../../runs/read.js'
import type { TimingsRow } from '../../runs/tables.js'
import type { ExportFile, FolderFormat } from '../models/format.js'
import { readmeHead, readmeName } from '../models/readme.js'
import { eventFile } from './events.js'

// TensorBoard reads every file whose name contains "tfevents".
const eventsName = 'events.out.tfevents.eigenae'

/** The course of a run for TensorBoard. */
export const tensorboard: FolderFormat = { name: 'tensorboard', fileNames: [eventsName] }

export async function tensorboardFiles(
  run: WholeRun,
  timings: readonly TimingsRow[],
): Promise<readonly ExportFile[]> {
  return [
    { name: readmeName, content: readme(run) },
    { name: eventsName, content: await eventFile(run, timings) },
  ]
}

function readme({ config, metrics }: WholeRun): string {
  return `${readmeHead(`Course of ${config.name}, seed ${config.seed}`)}
${metrics.length} epochs, exported as tensorboard by eigenae ${version}.

\`\`\`sh
pip install tensorboard
tensorboard --logdir .
\`\`\`

- Scalars \`metrics/…\` and \`timings/…\`: the columns of metrics.csv and timings.csv by epoch, in single precision.
- Scalars \`layers/LAYER/…\`: the columns of layers.csv for each hidden layer, from epoch 0 on.
- Scalars \`losses/TERM-KIND/…\`: the columns of losses.csv for each eigen loss.
- Histograms \`spectrum/singular_share\`: one bar per rank, whose height is the share of that singular value.
- Text \`config\`, and HParams: the config of the run.

TensorBoard compares the runs in the folders below its \`--logdir\`: export each run into a folder there.
`
}
