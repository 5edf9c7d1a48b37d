import { Command, Option } from 'commander'
import { schemes } from '../plots/theme.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'

export function plotCommand() {
  return new Command('plot')
    .description(
      'Draw a run, or an arm over its seeds: loss and its terms, spectrum, effective rank, reconstructions, embedding',
    )
    .argument('<run>', 'run folder, or folder of runs that differ only in their seeds')
    .option('--out <folder>', 'folder for the SVG and PNG files (default: plots/ in the run)')
    .addOption(
      new Option('--scheme <name>', 'colours for a light or a dark background')
        .choices(schemes)
        .default('light'),
    )
    .option('--json', 'print the names of the files as JSON', false)
    .addHelpText('after', '\nExample:\n  eigenae plot runs/eigen/seed-0 --out pictures')
    .action(async (run, { out, scheme, json }) => {
      // Imported here so that other commands start without loading the chart libraries.
      const { writeRunPictures } = await import('../plots/run-pictures.js')
      const { folder, files, model, notes } = await writeRunPictures(run, out, scheme)
      if (model === null) writeMessage('no reconstructions and no embedding: the run has no model yet')
      else writeMessage(`reconstructions and embedding: ${model}`)
      for (const note of notes) writeMessage(note)
      if (json) writeJson({ folder, files, model })
      else for (const file of files) writeResult(`${folder}/${file}`)
    })
}
