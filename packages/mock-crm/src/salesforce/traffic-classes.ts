import type { RouteClass } from "../shared/counters.ts";

const data = String.raw`^/services/data/v\d+\.\d`;
const path = (pattern: string) => new RegExp(`${data}${pattern}`);

/** Which family and kind each call counts as; the first fitting row wins. */
export const SALESFORCE_CLASSES: readonly RouteClass[] = [
  { family: "token", kind: "token", methods: null, path: /^\/services\/oauth2\/(token|introspect)$/ },
  { family: "revoke", kind: "token", methods: null, path: /^\/services\/oauth2\/revoke$/ },
  { family: "authorize", kind: "other", methods: null, path: /^\/services\/oauth2\/authorize$/ },
  { family: "identity", kind: "other", methods: null, path: /^\/(services\/oauth2\/userinfo|id\/)/ },
  { family: "query", kind: "read", methods: null, path: path("/query(All)?(/|$)") },
  { family: "describe", kind: "read", methods: ["GET"], path: path("/sobjects(/[^/]+/describe)?/?$") },
  { family: "changes", kind: "read", methods: ["GET"], path: path("/sobjects/[^/]+/(updated|deleted)/?$") },
  { family: "retrieve", kind: "read", methods: ["POST"], path: path("/composite/sobjects/[^/]+$") },
  { family: "retrieve", kind: "read", methods: ["GET"], path: path("/sobjects/") },
  { family: "collections", kind: "write", methods: null, path: path("/composite/sobjects") },
  { family: "composite", kind: "other", methods: null, path: path("/composite$") },
  { family: "sobjects", kind: "write", methods: ["POST", "PATCH", "DELETE"], path: path("/sobjects/") },
  { family: "limits", kind: "other", methods: null, path: path("/limits/?$") },
  { family: "versions", kind: "other", methods: null, path: /^\/services\/data(\/v\d+\.\d)?\/?$/ },
];
