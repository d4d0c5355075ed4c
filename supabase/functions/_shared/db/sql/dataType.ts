import { z } from "zod";

/** How values of a field are compared and converted. */
export const dataType = z.enum([
  "string",
  "number",
  "boolean",
  "date",
  "datetime",
  "picklist",
  "array",
  "object",
  "email",
  "phone",
  "url",
]);
