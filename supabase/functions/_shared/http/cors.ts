/** Calls carry a bearer token and never cookies, so any origin may ask. */
export const CORS_HEADERS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "authorization, x-client-info, apikey, content-type, x-region, prefer",
  "access-control-expose-headers": "x-request-id, retry-after",
} as const;

export function preflight(methods: readonly string[]): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...CORS_HEADERS,
      "access-control-allow-methods": [...methods, "OPTIONS"].join(", "),
      "access-control-max-age": "86400",
    },
  });
}
