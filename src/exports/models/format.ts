import type { ExportedNetwork } from './network.js'

/** How models are written for one kind of program: one row of the table in index.ts. */
export interface ModelFormat {
  readonly name: string
  /** What `encode` gives. */
  readonly fileNames: readonly string[]
  encode(network: ExportedNetwork, facts: ExportFacts): Promise<readonly ExportFile[]>
  /** For people: how to run it. */
  guide(network: ExportedNetwork): Guide
}

export interface ExportFile {
  readonly name: string
  readonly content: string | Uint8Array
}

export interface Guide {
  readonly language: 'python' | 'js'
  /** What to install or include before, in Markdown. */
  readonly needs: string
  /** Lines of code from the network's input, a variable of that name, to its output, likewise. */
  readonly code: readonly string[]
  /** What that input is to the code. */
  readonly inputIs: string
  /** Further sentences in Markdown. */
  readonly notes: readonly string[]
}

/** Where a model comes from; every export holds it. */
export interface ExportFacts {
  readonly run: string
  readonly seed: number
  /** Epochs trained. */
  readonly epoch: number
  readonly eigenae: string
  readonly config: object
}
