import { join } from 'node:path'
import { refuseUsedFolder, writeFolder } from '../../exports/models/folder.js'
import type { ExportFacts } from '../../exports/models/format.js'
import { exportReadme, modelFormats, readmeName } from '../../exports/models/index.js'
import { exportedNetwork, type Part } from '../../exports/models/network.js'
import { tensorboard } from '../../exports/tensorboard.js'
import { version } from '../../runs/facts.js'
import { runNamed } from '../../runs/find.js'
import { writeResult } from '../../text/output.js'
import { readTrainedRun, type TrainedRun } from '../../training/trained-model.js'
import { requirePlaced } from '../shared/sweep-plans.js'
import { warnOfCheckpoint } from '../shared/trained-run.js'

export interface ExportModelOptions {
  readonly format: string
  readonly part: Part
  readonly keepBatchNorm: boolean
  readonly out: string
  readonly overwrite: boolean
}

/** Writes the model of a run into a folder of its own and prints the names of the files. */
export async function exportModel(folder: string, options: ExportModelOptions): Promise<void> {
  const { out, overwrite } = options
  const replaced = await refuseUsedFolder(out, overwrite, [...modelFormats, tensorboard])
  const trained = await readTrainedRun(await runNamed(folder, 'export'))
  requirePlaced(trained.run)
  const format = modelFormats.find(({ name }) => name === options.format)!
  const network = exportedNetwork(trained.run.config.model, trained.state, options)
  const facts = factsOf(trained)
  const readme = { name: readmeName, content: exportReadme(format, network, facts) }
  const files = [readme, ...(await format.encode(network, facts))]
  warnOfCheckpoint(trained)
  await writeFolder(out, files, replaced)
  for (const { name } of files) writeResult(join(out, name))
}

function factsOf({ run, epoch }: TrainedRun): ExportFacts {
  const { config, record } = run
  return {
    run: config.name,
    seed: config.seed,
    epoch: epoch ?? record.epochs,
    eigenae: version,
    config,
  }
}
