import type { Connection } from "jsforce/lib/connection.js";
import { z } from "zod";
import type { CrmOwner } from "../contract.ts";
import { malformed } from "../errors.ts";
import { CRM } from "./errors.ts";
import { id18 } from "./ids.ts";
import { queryAll } from "./query.ts";

const userRow = z.object({
  Id: z.string().min(15),
  Name: z.string(),
  Email: z.string().nullish(),
  IsActive: z.boolean(),
});

/** Employees, the former ones too: their records keep their name. Customers with a portal login own nothing here. */
const SOQL = "SELECT Id, Name, Email, IsActive FROM User WHERE UserType = 'Standard' ORDER BY Id";

export async function readOwners(connection: Connection): Promise<CrmOwner[]> {
  const result = z.array(userRow).safeParse(await queryAll(connection, SOQL));
  if (!result.success) throw malformed(CRM, z.prettifyError(result.error));
  return result.data.map((row) => ({
    id: id18(row.Id),
    email: row.Email ?? null,
    name: row.Name,
    active: row.IsActive,
  }));
}
