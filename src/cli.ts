import { Command, CommanderError, type CommandUnknownOpts, Help, type Option } from 'commander'
import { benchCommand } from './commands/bench.js'
import { bestCommand } from './commands/best.js'
import { compareCommand } from './commands/compare.js'
import { completionCommand } from './commands/completion.js'
import { dataCommand } from './commands/data.js'
import { doctorCommand } from './commands/doctor.js'
import { embedCommand } from './commands/embed.js'
import { evalCommand } from './commands/eval.js'
import { exploreCommand } from './commands/explore.js'
import { exportCommand } from './commands/export.js'
import { plotCommand } from './commands/plot.js'
import { reproduceCommand } from './commands/reproduce.js'
import { runsCommand } from './commands/runs.js'
import { setupCommand } from './commands/setup.js'
import { sweepCommand } from './commands/sweep.js'
import { sweepEngineCommand, sweepJobCommand, sweepRunnerCommand } from './commands/sweep-processes.js'
import { trainCommand } from './commands/train.js'
import { verifyCommand } from './commands/verify.js'
import { watchCommand } from './commands/watch.js'
import { nativeEngine } from './engines/native/engine.js'
import { wasmVariant } from './engines/wasm/engine.js'
import { EigenaeError, exitCode, usageError } from './errors.js'
import { version } from './runs/facts.js'
import { endQuietlyWhenOutputCloses, writeFailure, writeMessage, writeResult } from './text/output.js'

/** All commands, in the order of the help. */
const commands = [
  trainCommand,
  sweepCommand,
  compareCommand,
  bestCommand,
  plotCommand,
  evalCommand,
  embedCommand,
  exportCommand,
  exploreCommand,
  runsCommand,
  watchCommand,
  verifyCommand,
  reproduceCommand,
  dataCommand,
  benchCommand,
  doctorCommand,
  setupCommand,
  completionCommand,
]

/** Commands that sweeps start themselves. The help does not list them. */
const internalCommands = [sweepJobCommand, sweepRunnerCommand, sweepEngineCommand]

/**
 * Runs the command line and returns the exit code of the process. An error thrown by a timer, such as a lost lock, ends
 * the process at once, because nothing more may be written.
 */
export async function main(argv: readonly string[]): Promise<number> {
  endQuietlyWhenOutputCloses()
  process.once('uncaughtException', (error) => process.exit(writeFailure(error)))
  try {
    await program().parseAsync(argv)
    return 0
  } catch (error) {
    // commander has printed its message or the help already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCode.usage
    return writeFailure(error)
  }
}

/** Returns the whole command line. */
export function program(): CommandUnknownOpts {
  const root = new Command('eigenae')
    .description(
      'Trains MNIST denoising autoencoders and compares how many of their dimensions the embeddings use',
    )
    .option('-V, --version', 'print the version and the engine that runs on this machine')
    .on('option:version', printVersion)
    // A command may have a --version of its own.
    .enablePositionalOptions()
    .hook('preAction', (_, command) => refuseEmptyValues(command))
    .addHelpText(
      'after',
      '\nExample:\n  eigenae train --config configs/eigen.json\n  eigenae compare runs/baseline runs/eigen --out comparison',
    )
  for (const command of commands) root.addCommand(command())
  for (const command of internalCommands) root.addCommand(command(), { hidden: true })
  for (const command of withSubcommands(root)) {
    requireOptionsLast(command)
    command.configureHelp({ optionDescription }).configureOutput({
      writeOut: (text) => writeResult(text.trimEnd()),
      writeErr: (text) => writeMessage(text.trimEnd()),
    })
    command.exitOverride().showSuggestionAfterError().showHelpAfterError('(--help lists the options)')
  }
  return root
}

function withSubcommands(command: CommandUnknownOpts): readonly CommandUnknownOpts[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

/** Describes an option as commander does, without the defaults "false" and "[]" of options that are off by default. */
function optionDescription(option: Option): string {
  const { defaultValue } = option
  const isOff = defaultValue === false || (Array.isArray(defaultValue) && defaultValue.length === 0)
  const described: Option = isOff ? Object.assign(Object.create(option), { defaultValue: undefined }) : option
  return new Help().optionDescription(described)
}

/**
 * Refuses empty flags and arguments, which an unset variable of a shell leaves. As a path, an empty value would mean
 * the working folder, and files in it would be replaced.
 */
function refuseEmptyValues(command: CommandUnknownOpts): void {
  const flags = command.options.map((option) => [
    option.long!,
    command.getOptionValue(option.attributeName()),
  ])
  // The last argument may be variadic.
  const named = command.args.map((value, index) => [
    (command.registeredArguments[index] ?? command.registeredArguments.at(-1))!.name(),
    value,
  ])
  for (const [subject, value] of [...flags, ...named])
    if (value === '') throw usageError({ problem: 'is empty', subject: String(subject) })
}

/**
 * Checks required options after unknown ones. commander does it the other way round, so that it reports a misspelt
 * required option as missing.
 */
function requireOptionsLast(command: CommandUnknownOpts): void {
  const required = command.options.filter(({ mandatory }) => mandatory)
  for (const option of required) option.makeOptionMandatory(false)
  command.hook('preAction', () => {
    const missing = required.find((option) => command.getOptionValue(option.attributeName()) === undefined)
    if (missing !== undefined) command.error(`error: required option '${missing.flags}' not specified`)
  })
}

/** Prints "eigenae 0.2.0 (native avx2, built here; node 20.20.2)". */
function printVersion(): never {
  writeResult(`eigenae ${version} (${processorEngine()}; node ${process.versions.node})`)
  throw new CommanderError(0, 'commander.version', '')
}

/** @throws a usage error if EIGENAE_ISA names none of the processor's instruction sets. */
function processorEngine(): string {
  try {
    const { name, variant, origin } = nativeEngine()
    return `${name} ${variant}, ${origin}`
  } catch (error) {
    if (!(error instanceof EigenaeError) || error.exit === exitCode.usage) throw error
    const variant = wasmVariant()
    return variant === null ? 'no engine runs here' : `wasm ${variant}`
  }
}
