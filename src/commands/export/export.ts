import { join } from 'node:path'
import { refuseUsedFolder, writeFolder } from '../../exports/models/folder.js'
import type { ExportFacts } from '../../exports/models/format.js'
import { modelFormats } from '../../exports/models/index.js'
import { exportedNetwork } from '../../exports/models/network.js'
import { exportReadme, readmeName } from '../../exports/models/readme.js'
import { version } from '../../runs/facts.js'
import { runNamed } from '../../runs/find.js'
import { writeResult } from '../../text/output.js'
import { readTrainedRun, type TrainedRun } from '../../training/trained-model.js'
import { sayWhichModel } from '../shared/trained-run.js'
import type { ExportFlags } from './index.js'

/** Writes a run's model into a folder of its own; the files' names go to stdout. */
export async function exportModel(folder: string, flags: ExportFlags): Promise<void> {
  const replaced = await refuseUsedFolder(flags.out, flags.overwrite, modelFormats)
  const trained = await readTrainedRun(await runNamed(folder, 'export'))
  const format = modelFormats.find(({ name }) => name === flags.format)!
  const network = exportedNetwork(trained.run.config.model, trained.state, flags)
  const facts = factsOf(trained)
  const readme = { name: readmeName, content: exportReadme(format, network, facts) }
  const files = [readme, ...(await format.encode(network, facts))]
  sayWhichModel(trained)
  await writeFolder(flags.out, files, replaced)
  for (const { name } of files) writeResult(join(flags.out, name))
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
