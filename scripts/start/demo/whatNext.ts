import type { Addresses } from '../services.ts';

/** What the demo's host (June 2026, as in the connect guide) does that Bitbucket of today does not. */
export const TODAY = [
  'The demo’s host is Bitbucket Cloud as it was on 2026-06-01. At today’s Bitbucket:',
  '  - app passwords are gone (2026-07-28): use OAuth, an API token or an access token; the check answers app_password_removed',
  '  - issue trackers are gone (2026-08-20): the check says tickets are unavailable; repositories and pull requests import on',
  '  - account passwords have not worked since 2022: only this historic host takes them',
];

/** Three commands to try: HTTP, SQL, and the operator's page. */
export function whatNext(addresses: Addresses, key: string, organizationId: string): string[] {
  const inTenant = `select set_config('app.organization', '${organizationId}', false)`;
  const query = 'select full_name, last_imported_at from repositories order by 1';
  return [
    'Three things to try next:',
    `  curl -s -H 'Authorization: Bearer ${key}' ${addresses.api}/v1/integrations`,
    `  psql '${addresses.adminUrl}' -c "${inTenant}" -c "${query}"`,
    `  open ${addresses.temporalUi}/namespaces/${addresses.namespace}/workflows   (each run says what it does)`,
  ];
}

/** With `--bitbucket` there is no demo: the steps that a person takes with the real host. */
export function connectByHand(addresses: Addresses, key: string): string[] {
  const auth = `-H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json'`;
  return [
    'Connect your Bitbucket Cloud account (an API token with read scopes is enough):',
    `  curl -s ${auth} -X POST ${addresses.api}/v1/connection-checks \\`,
    `    -d '{"kind":"api_token","email":"YOU@EXAMPLE.COM","token":"ATATT…"}'`,
    `  curl -s ${auth} -X POST ${addresses.api}/v1/integrations -d '{}'`,
    `  curl -s ${auth} -X PUT ${addresses.api}/v1/integrations/ID/credential -d '{"kind":"api_token","email":"…","token":"…"}'`,
    `  curl -s ${auth} -X POST ${addresses.api}/v1/integrations/ID/create -d '{"name":"My Bitbucket"}'`,
    `  curl -s ${auth} ${addresses.api}/v1/integrations/ID/repositories`,
    `  curl -s ${auth} -X POST ${addresses.api}/v1/integrations/ID/imports -d '{"repositories":["…"]}'`,
    'For OAuth set BITBUCKET_OAUTH_KEY and BITBUCKET_OAUTH_SECRET before npm start; every field is described at',
    `  ${addresses.api}/docs`,
  ];
}
