import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { beginsWith } from '../files/own-files.js'
import { readJsonIfPresent } from '../files/read.js'
import { jsonText, writeDurably } from '../files/write.js'

/** The user's words about a run: notes.json. No other file depends on it, and a resumed run keeps it. */
export interface RunNotes {
  /** Each once, in the order in which they were added. */
  readonly tags: readonly string[]
  /** "" if there is none. */
  readonly note: string
}

export const noNotes: RunNotes = { tags: [], note: '' }

const maximumLength = 100

/** A tag is a word, so that lists of tags need no quotes. */
const tagPattern = /^[\p{L}\p{N}][\p{L}\p{N}._+-]*$/u

/** Returns why a word cannot be a tag, null if it can. */
export function tagProblem(word: string): string | null {
  if (word.length > maximumLength) return `has more than ${maximumLength} characters`
  return tagPattern.test(word)
    ? null
    : 'may contain letters, digits, dots, dashes, plus signs and underscores, and must start with a letter or digit'
}

const format = 'eigenae-notes-1'

/** The mark of notes that `writeNotes` wrote. */
export const notesMark = beginsWith(`{\n  "format": "${format}"`)

const schema = z.object({
  format: z.literal(format),
  tags: z.array(z.string()).default([]),
  note: z.string().default(''),
})

/** Returns the notes on a run, none if the file does not exist. @throws EigenaeError if it is damaged. */
export function readNotes(file: string): RunNotes {
  const hint = 'Remove it, then add the tags and the note again.'
  const value = readJsonIfPresent(file, hint)
  if (value === undefined) return noNotes
  const parsed = schema.safeParse(value)
  if (parsed.success) return { tags: parsed.data.tags, note: parsed.data.note }
  throw new EigenaeError({
    problem: 'is not the notes file of a run',
    subject: file,
    hint,
    cause: parsed.error,
  })
}

export async function writeNotes(file: string, { tags, note }: RunNotes): Promise<void> {
  await writeDurably(file, jsonText({ format, tags, note }))
}
