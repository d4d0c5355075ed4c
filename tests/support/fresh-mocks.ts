import { beforeAll } from "vitest";
import { control } from "./world.ts";

/** Every file finds both mock CRMs as they were started, whatever the file before it did there. Consents stay. */
beforeAll(async () => {
  await Promise.all([control("salesforce", "reset", {}), control("hubspot", "reset", {})]);
});
