import { inject } from "vitest";

/** A running stack with both mock CRMs. */
export interface Bench {
  apiUrl: string;
  dbUrl: string;
  adminDbUrl: string;
  publishableKey: string;
  secretKey: string;
  jwtSecret: string;
  salesforceUrl: string;
  hubspotUrl: string;
  returnUrl: string;
  portBase: number;
  dataDir: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    benches: Bench[];
  }
}

/** The one of this worker: files that run at the same time never meet. */
export function bench(): Bench {
  const own = inject("benches")[Number(process.env.VITEST_POOL_ID) - 1];
  if (own === undefined) throw new Error(`There is no stack for worker ${process.env.VITEST_POOL_ID}.`);
  return own;
}
