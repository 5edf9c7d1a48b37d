import { Command, CommanderError, Help, type Option } from 'commander'
import { benchCommand } from './commands/bench.js'
import { compareCommand } from './commands/compare.js'
import { completionCommand } from './commands/completion.js'
import { dataCommand } from './commands/data.js'
import { doctorCommand } from './commands/doctor.js'
import { embedCommand } from './commands/embed/index.js'
import { evalCommand } from './commands/eval/index.js'
import { exploreCommand } from './commands/explore.js'
import { exportCommand } from './commands/export/index.js'
import { plotCommand } from './commands/plot.js'
import { runsCommand } from './commands/runs.js'
import { setupCommand } from './commands/setup.js'
import { refuseEmptyValues } from './commands/shared/empty-values.js'
import { requireOptionsLast } from './commands/shared/required-options.js'
import { versionLine } from './commands/shared/version.js'
import { sweepCommand } from './commands/sweep/command.js'
import { sweepDeviceCommand, sweepJobCommand, sweepRunnerCommand } from './commands/sweep/run-commands.js'
import { trainCommand } from './commands/train/index.js'
import { verifyCommand } from './commands/verify.js'
import { exitCode } from './errors.js'
import { endQuietlyWhenOutputCloses, writeFailure, writeMessage, writeResult } from './text/output.js'

/**
 * Runs the command line; gives the process's exit code. What is thrown out of a timer, a lost lock say, ends it at once:
 * no more may be written.
 */
export async function main(argv: readonly string[]): Promise<number> {
  endQuietlyWhenOutputCloses()
  process.once('uncaughtException', (error) => process.exit(writeFailure(error)))
  try {
    await program().parseAsync(argv)
    return 0
  } catch (error) {
    return report(error)
  }
}

/** Every command there is. */
export function program(): Command {
  const root = new Command('eigenae')
    .description(
      'Trains MNIST denoising autoencoders and compares what their embeddings use of their dimensions',
    )
    .option('-V, --version', 'print the version, and which engine runs here')
    .on('option:version', printVersion)
    // A command may have a --version of its own.
    .enablePositionalOptions()
    .hook('preAction', (_, command) => refuseEmptyValues(command))
    .addCommand(trainCommand())
    .addCommand(sweepCommand())
    .addCommand(sweepJobCommand(), { hidden: true })
    .addCommand(sweepRunnerCommand(), { hidden: true })
    .addCommand(sweepDeviceCommand(), { hidden: true })
    .addCommand(compareCommand())
    .addCommand(plotCommand())
    .addCommand(evalCommand())
    .addCommand(embedCommand())
    .addCommand(exportCommand())
    .addCommand(exploreCommand())
    .addCommand(runsCommand())
    .addCommand(verifyCommand())
    .addCommand(dataCommand())
    .addCommand(benchCommand())
    .addCommand(doctorCommand())
    .addCommand(setupCommand())
    .addCommand(completionCommand())
    .addHelpText(
      'after',
      '\nExample:\n  eigenae train --config configs/eigen.json\n  eigenae compare runs/baseline runs/eigen --out comparison',
    )
  for (const command of withSubcommands(root)) {
    requireOptionsLast(command)
    command.configureHelp({ optionDescription }).configureOutput({
      writeOut: (text) => writeResult(text.trimEnd()),
      writeErr: (text) => writeMessage(text.trimEnd()),
    })
    command.exitOverride().showSuggestionAfterError().showHelpAfterError('(--help shows what there is)')
  }
  return root
}

/** As commander describes an option, but for the defaults "false" and "[]" of options that are off unless given. */
function optionDescription(option: Option): string {
  const { defaultValue } = option
  const isOff = defaultValue === false || (Array.isArray(defaultValue) && defaultValue.length === 0)
  const described: Option = isOff ? Object.assign(Object.create(option), { defaultValue: undefined }) : option
  return new Help().optionDescription(described)
}

function printVersion(): never {
  writeResult(versionLine())
  throw new CommanderError(0, 'commander.version', '')
}

function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

function report(error: unknown): number {
  // commander has printed its message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCode.usage
  return writeFailure(error)
}
