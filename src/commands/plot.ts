import { Command } from 'commander'
import { writeJson, writeMessage, writeResult } from '../text/output.js'

interface PlotFlags {
  readonly out?: string
  readonly json: boolean
}

export function plotCommand(): Command {
  return new Command('plot')
    .description('Draw a run, or an arm over its seeds: loss, spectrum, reconstructions, embedding')
    .argument('<run>', 'run folder, or folder of runs that differ only in their seeds')
    .option('--out <folder>', 'folder for the SVG and PNG files (default: plots/ in the run)')
    .option('--json', 'print the names of the files as JSON', false)
    .addHelpText('after', '\nExample:\n  eigenae plot runs/eigen/seed-0 --out pictures')
    .action(plot)
}

async function plot(run: string, { out, json }: PlotFlags): Promise<void> {
  // Imported here so that other commands start without loading the chart libraries.
  const { writeRunPictures } = await import('../plots/run-pictures.js')
  const { folder, files, model, notes } = await writeRunPictures(run, out)
  if (model === null) writeMessage('no reconstructions and no embedding: the run has no model yet')
  else writeMessage(`reconstructions and embedding: ${model}`)
  for (const note of notes) writeMessage(note)
  if (json) writeJson({ folder, files, model })
  else for (const file of files) writeResult(`${folder}/${file}`)
}
