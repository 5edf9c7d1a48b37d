import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { readTextIfPresent } from '../files/read.js'
import { jsonText, writeDurably } from '../files/write.js'

const facts = {
  name: z.string(),
  seed: z.int(),
  epochs: z.int(),
  /** Of any version: a reader has no need to know it. */
  device: z.string(),
  deviceReason: z.string(),
  engine: z.object({ name: z.string(), variant: z.string(), threads: z.int() }),
  versions: z.object({ eigenae: z.string(), node: z.string() }),
  gitCommit: z.string().nullable(),
  host: z.string(),
  dataSha256: z.record(z.string(), z.string()),
  started: z.string(),
}

const recordSchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('running'), ...facts }),
  z.object({ status: z.literal('completed'), ended: z.string(), ...facts }),
  z.object({ status: z.literal('interrupted'), ended: z.string(), ...facts }),
  z.object({ status: z.literal('failed'), error: z.string(), ended: z.string(), ...facts }),
])

/** run.json: what ran, where, and how it ended. */
export type RunRecord = z.output<typeof recordSchema>
export type RunStatus = RunRecord['status']
export type RunFacts = Omit<Extract<RunRecord, { status: 'running' }>, 'status'>

/** How a run ended, or that it has not. */
export type RunOutcome =
  | { readonly status: 'running' }
  | { readonly status: 'completed' | 'interrupted'; readonly ended: string }
  | { readonly status: 'failed'; readonly error: string; readonly ended: string }

export async function writeRecord(file: string, outcome: RunOutcome, runFacts: RunFacts): Promise<void> {
  await writeDurably(file, jsonText({ ...outcome, ...runFacts }))
}

/** @throws EigenaeError if the file is missing or is not a run.json. */
export async function readRecord(file: string): Promise<RunRecord> {
  const text = readTextIfPresent(file)
  if (text === undefined)
    throw new EigenaeError({ what: 'does not exist', where: file, hint: 'Check the path.' })
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new EigenaeError({ what: 'this is not the run.json of an eigenae run', where: file, cause })
  }
}
