// Who can sign in, and what each account may have. The demonstration's policy
// (README, "The demonstration's policy") is written against these.

export const SCOPES = ["mcp:read", "mcp:write"];

export const ACCOUNTS = new Map([
  ["reader", { may: ["mcp:read"], claims: {} }],
  ["writer", { may: ["mcp:read", "mcp:write"], claims: {} }],
  ["admin", { may: ["mcp:read", "mcp:write"], claims: { roles: ["admin"] } }],
]);
