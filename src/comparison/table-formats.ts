/** The formats of printed tables, in a file of their own, so that the command line starts without loading the statistics. */
export const tableFormats = ['text', 'markdown', 'latex', 'csv'] as const
export type TableFormat = (typeof tableFormats)[number]
