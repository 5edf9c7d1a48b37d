import { Command, CommanderError } from 'commander'
import { benchCommand } from './commands/bench/index.js'
import { compareCommand } from './commands/compare.js'
import { dataCommand } from './commands/data.js'
import { plotCommand } from './commands/plot.js'
import { runsCommand } from './commands/runs.js'
import { sweepCommand } from './commands/sweep/index.js'
import { sweepDeviceCommand, sweepJobCommand } from './commands/sweep/job.js'
import { trainCommand } from './commands/train/index.js'
import { EigenaeError, exitCode, fileError } from './errors.js'
import { version } from './runs/facts.js'
import { endQuietlyWhenOutputCloses, writeMessage } from './terminal/output.js'

/** Runs the command line; gives the process's exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  endQuietlyWhenOutputCloses()
  try {
    await program().parseAsync(argv)
    return 0
  } catch (error) {
    return report(error)
  }
}

function program(): Command {
  const root = new Command('eigenae')
    .description(
      'Trains MNIST denoising autoencoders and compares what their embeddings use of their dimensions',
    )
    .version(version)
    .addCommand(trainCommand())
    .addCommand(sweepCommand())
    .addCommand(sweepJobCommand(), { hidden: true })
    .addCommand(sweepDeviceCommand(), { hidden: true })
    .addCommand(compareCommand())
    .addCommand(plotCommand())
    .addCommand(runsCommand())
    .addCommand(dataCommand())
    .addCommand(benchCommand())
  for (const command of withSubcommands(root)) {
    command.exitOverride().showSuggestionAfterError().showHelpAfterError('(--help shows what there is)')
  }
  return root
}

function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

function report(error: unknown): number {
  // commander has printed its message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCode.usage
  const known = error instanceof EigenaeError ? error : unexpected(error)
  writeMessage(`eigenae: ${known.message}`)
  if (process.env.EIGENAE_DEBUG === '1' && error instanceof Error) writeMessage(error.stack ?? '')
  return known.exit
}

function unexpected(error: unknown): EigenaeError {
  if (error instanceof Error && 'path' in error && typeof error.path === 'string') {
    return fileError('use', error.path, error)
  }
  const what = error instanceof Error ? error.message : String(error)
  return new EigenaeError({ what, mend: 'EIGENAE_DEBUG=1 shows where this comes from.', cause: error })
}
