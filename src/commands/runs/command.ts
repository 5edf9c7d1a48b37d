import { Command, Option } from 'commander'
import { usageError } from '../../errors.js'
import { wholeNumber } from '../shared/options.js'
import { listRuns } from './list.js'
import { addTags, removeTags, setNote } from './notes.js'
import { type Expression, parseExpression } from './query.js'

export function runsCommand(): Command {
  return new Command('runs')
    .description('List the runs in a folder')
    .argument('[folder]', 'folder to search, at any depth', 'runs')
    .option(
      '--where <condition>',
      "list only runs that match, such as 'test_mse<0.03' (repeatable)",
      collectExpressions,
      [],
    )
    .option('--sort <name>', 'sort by a name, smallest first; with a dash before the name, largest first')
    .option('--top <number>', 'list at most this many runs', wholeNumber('--top', 1))
    .option('--columns <names>', 'add columns: names with commas between them', collectNames, [])
    .option('--json', 'print the list as JSON', false)
    .addOption(new Option('--csv', 'print the list as CSV').default(false).conflicts('json'))
    .addHelpText(
      'after',
      `
A condition is a name, one of = != < <= > >=, and a value. A name is a metric (test_mse, linear_probe_accuracy, …: those of
eigenae compare, after the last epoch), a config path (train.batchSize), or one of folder, name, seed, status, epoch,
epochs, device, tags and note. A value is a number, a word, or JSON; null matches a run without the value. tags=WORD matches
the runs that have this tag.

Tags and notes are kept in the run's folder (notes.json). A run that is trained again with --overwrite loses them. A folder
that is called tag, untag or note is listed as ./tag.

Examples:
  eigenae runs runs/eigen
  eigenae runs runs/search --where 'optimizer.learningRate<0.01' --where status=completed --sort test_denoise_mse --top 10
  eigenae runs runs/search --sort -effective_rank --columns optimizer.learningRate,loss.eigen.weight --csv
  eigenae runs tag runs/eigen/seed-0 good figure-2 && eigenae runs --where tags=good`,
    )
    .action(listRuns)
    .addCommand(tagCommand())
    .addCommand(untagCommand())
    .addCommand(noteCommand())
}

function collectExpressions(text: string, before: readonly Expression[]): readonly Expression[] {
  return [...before, parseExpression(text)]
}

function collectNames(list: string, before: readonly string[]): readonly string[] {
  const names = list.split(',').map((name) => name.trim())
  if (names.includes(''))
    throw usageError({ problem: `has an empty name (got "${list}")`, subject: '--columns' })
  return [...before, ...names]
}

function tagCommand(): Command {
  return new Command('tag')
    .description('Add tags to a run, or to all runs in a folder')
    .argument('<run>', 'run folder, or folder of runs')
    .argument('<word...>', 'tags: letters, digits, dots, dashes, plus signs and underscores')
    .addHelpText('after', '\nExample:\n  eigenae runs tag runs/eigen/seed-0 good figure-2')
    .action(addTags)
}

function untagCommand(): Command {
  return new Command('untag')
    .description('Remove tags from a run, or from all runs in a folder')
    .argument('<run>', 'run folder, or folder of runs')
    .argument('<word...>', 'tags')
    .addHelpText('after', '\nExample:\n  eigenae runs untag runs/eigen/seed-0 good')
    .action(removeTags)
}

function noteCommand(): Command {
  return new Command('note')
    .description('Write a note on a run, or on all runs in a folder, in place of an earlier one')
    .argument('<run>', 'run folder, or folder of runs')
    .argument('[text...]', 'the note')
    .option('--remove', 'remove the note', false)
    .option('--overwrite', 'replace the notes of a folder even if single runs have notes of their own', false)
    .addHelpText('after', "\nExample:\n  eigenae runs note runs/eigen/seed-0 'the run of figure 2'")
    .action(setNote)
}
