/** The name of the table in the type of a function's argument or result. */
export function tableOf(type: string): string {
  const name = type.replace(/^setof\s+/i, "");
  return name.slice(name.lastIndexOf(".") + 1).replace(/^"|"$/g, "");
}
