/** How many records of each kind a generated data set holds. */
export interface Sizes {
  companies: number;
  contacts: number;
  deals: number;
}

export interface SizeOptions extends Partial<Sizes> {
  /** The number of contacts; companies and deals follow at a tenth and a fifth unless given. */
  records?: number;
}

export function sizesOf(options: SizeOptions): Sizes {
  const contacts = options.contacts ?? options.records ?? 1000;
  return {
    contacts,
    companies: options.companies ?? Math.ceil(contacts / 10),
    deals: options.deals ?? Math.ceil(contacts / 5),
  };
}
