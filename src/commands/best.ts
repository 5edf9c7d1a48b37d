import { dirname } from 'node:path'
import { Command, Option } from 'commander'
import type { Comparison } from '../comparison/comparison.js'
import { withoutSeed } from '../config/schema.js'
import { usageError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { refuseExistingFiles } from '../files/own-files.js'
import { jsonText, writeDurably } from '../files/write.js'
import { isTestMetric, type Metric, meaningOf, metrics } from '../runs/metrics.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'
import { abbreviated } from './compare.js'
import { type FlagsOf, wholeNumber } from './shared/options.js'

export const bestCommand = () => declaration().action(best)

function declaration() {
  return new Command('best')
    .description('Find the arm with the best mean over its seeds; --out writes its config')
    .argument(
      '<run...>',
      "a sweep's folder, or folders of runs that differ only in their seeds (one arm each)",
    )
    .addOption(
      new Option(
        '--metric <name>',
        'the metric that decides (default: validation_denoise_mse if the configs hold images out)',
      ).choices(metrics.filter((metric) => meaningOf(metric).better !== null)),
    )
    .option(
      '--top <number>',
      'list this many arms with their intervals, the best first',
      wholeNumber('--top', 1),
    )
    .option(
      '--out <file>',
      "write the arm's config, without its seed, to this file; an existing file is refused",
    )
    .option('--json', 'print the result as JSON', false)
    .addHelpText(
      'after',
      `
The arms are judged on the seeds that all of them have; other seeds are reported and ignored, and arms that share no seed
are refused. To judge on more seeds, name only the arms that have them. The best of many arms looks better than it is, by an
optimism that is estimated from three seeds on: train its config again with seeds that the choice has not seen. A choice by a
test metric is biased, too, so a warning follows if the configs hold images out (data.validation).

Example:
  eigenae best runs/search --metric validation_denoise_mse --out best.json && eigenae train --config best.json --seed 1000`,
    )
}

/** Prints the best arm and the runner-up, and writes the config of the best. */
async function best(
  folders: readonly string[],
  { metric, top, out, json }: FlagsOf<typeof declaration>,
): Promise<void> {
  const hint = 'Name another file with --out.'
  if (out !== undefined) refuseExistingFiles([{ file: out, mark: () => false }], hint)
  // Imported here so that other commands start without loading the statistics.
  const { compareRuns } = await import('../comparison/compare.js')
  const { bestArm, bestJson, bestText, bestWarnings } = await import('../comparison/ranking.js')
  const comparison = await compareRuns(folders, undefined)
  const result = bestArm(comparison, metric ?? defaultMetric(comparison))
  for (const warning of [
    ...abbreviated(bestWarnings(result, comparison)),
    ...abbreviated(comparison.warnings),
  ])
    writeMessage(`warning: ${warning}`)
  if (json) writeJson(bestJson(result, comparison, top))
  else writeResult(bestText(result, comparison, top))
  if (out === undefined) return
  await makeFolder(dirname(out))
  await writeDurably(out, jsonText(withoutSeed(result.ranking[0]!.arm.config)))
  writeMessage(`written to ${out}`)
}

/** @throws a usage error if the arms hold no images out: a choice on test images must be asked for. */
function defaultMetric({ rankedBy }: Comparison): Metric {
  if (!isTestMetric(rankedBy)) return rankedBy
  throw usageError({
    problem: "required option '--metric <name>' not specified",
    hint: `These configs hold no images out (data.validation). To choose on test images, add --metric ${rankedBy}.`,
  })
}
