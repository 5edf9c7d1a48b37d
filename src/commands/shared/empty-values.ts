import type { Command } from 'commander'
import { usageError } from '../../errors.js'

/**
 * Refuses flags and arguments without a value, as an unset variable of a shell leaves them: as a path they would mean the
 * working folder, and what is in it would be replaced.
 */
export function refuseEmptyValues(command: Command): void {
  const flags = command.options.map((option) => [
    option.long!,
    command.getOptionValue(option.attributeName()),
  ])
  // The last argument may stand for many.
  const places = command.args.map((value, index) => [
    (command.registeredArguments[index] ?? command.registeredArguments.at(-1))!.name(),
    value,
  ])
  for (const [where, value] of [...flags, ...places])
    if (value === '') throw usageError({ problem: 'is empty', subject: String(where) })
}
