import type { Arm } from '../comparison/compare.js'
import { commandLine } from '../text/format.js'

/** The config in this arm's file, under a name that the commands use: without a seed, which the commands give. */
export function configFile(arm: Arm): { readonly name: string; readonly text: string } {
  const { seed: _seed, ...config } = arm.config
  return { name: `${arm.config.name}.json`, text: JSON.stringify(config, null, 2) }
}

/** What trains an arm's runs again. */
export function trainCommands(arm: Arm): string {
  const { name } = configFile(arm)
  return arm.runs
    .map(({ record, folder }) =>
      commandLine(['eigenae', 'train', '--config', name, '--seed', String(record.seed), '--out', folder]),
    )
    .join('\n')
}
