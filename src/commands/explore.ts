import { Command } from 'commander'
import { thousands } from '../text/format.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'
import { wholeNumber } from './shared/options.js'

// The default number of images for the spectrum of a run.
const defaultImages = 1024

export function exploreCommand() {
  return new Command('explore')
    .description(
      'Write an interactive page of the latent space of one run, or of two side by side: a single file that works offline',
    )
    .argument(
      '<run...>',
      'one or two run folders, or folders of runs, of which the first completed run is shown',
    )
    .requiredOption('--out <file>', 'the HTML file to write')
    .option(
      '--images <number>',
      'number of test images in the page',
      wholeNumber('--images', 1),
      defaultImages,
    )
    .option(
      '--data <source>',
      '"mnist", or a folder of idx files (default: the data that the runs were trained on)',
    )
    .option('--json', 'print the file, the models and the notes as JSON', false)
    .addHelpText('after', '\nExample:\n  eigenae explore runs/baseline runs/eigen --out latent.html')
    .action(async (runs, { out, images, data, json }) => {
      // Imported here so that other commands start without loading the statistics.
      const { exploreRuns } = await import('../pages/explore/explore-page.js')
      const explored = await exploreRuns(runs, { out, images, data })
      for (const note of explored.notes) writeMessage(note)
      if (json) return writeJson(explored)
      for (const run of explored.runs) writeMessage(`model: ${run}`)
      writeMessage(
        `${explored.images} test images, ${thousands(explored.bytes / 1024)} KiB; open it in a browser`,
      )
      writeResult(explored.file)
    })
}
