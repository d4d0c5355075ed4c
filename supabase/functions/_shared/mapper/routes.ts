import { type Route, route } from "../http/handle.ts";
import { proposeMappings } from "./autoMap.ts";
import { tryTransform } from "./checkTransform.ts";
import type { MapperDeps } from "./deps.ts";
import { availableFields } from "./fields.ts";
import { preview } from "./preview.ts";
import { autoMapInput, checkTransformInput, fieldsInput, previewInput } from "./schemas.ts";

export function mapperRoutes(deps: MapperDeps): Route[] {
  return [
    route({
      method: "POST",
      path: "/available-fields",
      auth: "user",
      schema: fieldsInput,
      run: async ({ input, user }) => ({ body: await availableFields(deps, user, input) }),
    }),
    route({
      method: "POST",
      path: "/auto-map",
      auth: "user",
      schema: autoMapInput,
      run: async ({ input, user, caller }) => ({ body: await proposeMappings(deps, user, caller, input) }),
    }),
    route({
      method: "POST",
      path: "/preview",
      auth: "user",
      schema: previewInput,
      run: async ({ input, user }) => ({ body: await preview(deps, user, input) }),
    }),
    route({
      method: "POST",
      path: "/check-transform",
      auth: "user",
      schema: checkTransformInput,
      run: async ({ input }) => ({ body: await tryTransform(input) }),
    }),
  ];
}
