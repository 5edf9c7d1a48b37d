import { Command } from 'commander'
import { thousands } from '../text/format.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'
import { wholeNumber } from './shared/options.js'

interface ExploreFlags {
  readonly out: string
  readonly images: number
  readonly data?: string
  readonly json: boolean
}

// As many as the spectrum of a run is measured on by default.
const defaultImages = 1024

export function exploreCommand(): Command {
  return new Command('explore')
    .description(
      'Make a page to look around in the latent space of a run, or of two side by side: one file, no network',
    )
    .argument('<run...>', 'one or two run folders, or folders of runs over their seeds (the first is shown)')
    .requiredOption('--out <file>', 'where to write the page')
    .option(
      '--images <number>',
      'how many test images are in the page',
      wholeNumber('--images', 1),
      defaultImages,
    )
    .option(
      '--data <source>',
      '"mnist", or a folder of idx files (default: the data the runs were trained on)',
    )
    .option('--json', 'print what was written as JSON', false)
    .addHelpText('after', '\nExample:\n  eigenae explore runs/baseline runs/eigen --out latent.html')
    .action(explore)
}

async function explore(runs: readonly string[], { out, images, data, json }: ExploreFlags): Promise<void> {
  // Only here: other commands should not wait for statistics to be loaded.
  const { exploreRuns } = await import('../explore/explore.js')
  const explored = await exploreRuns(runs, { out, images, data })
  for (const note of explored.notes) writeMessage(note)
  if (json) return writeJson(explored)
  for (const run of explored.runs) writeMessage(`model: ${run}`)
  writeMessage(
    `${explored.images} test images, ${thousands(explored.bytes / 1024)} KiB; open it in a browser`,
  )
  writeResult(explored.file)
}
