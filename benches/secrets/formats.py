"""Secrets by format, made up by code. Nothing here was ever issued.

`ISSUED`: what a provider issues, with the checksum where the format carries one. `DOCUMENTED`: the same, from a
second round: formats of providers that scanners document and that a support bundle seldom holds. Each entry is a
name, the key it usually stands under, whether it is told by itself (a prefix or a form of its own, so that a log
line without any key still shows it), and the function that makes a value. The key alone decides for the others.
"""

import base64
import binascii
import json
import uuid

LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
DIGIT = "0123456789"
WORD = LOWER + UPPER + DIGIT
BASE62 = DIGIT + UPPER + LOWER


class Make:
    """Random text from one seed."""

    def __init__(self, random):
        self.random = random

    def of(self, letters, count):
        return "".join(self.random.choice(letters) for _ in range(count))

    def word(self, count):
        """Letters and digits, at least one of each when there is room for them."""
        while True:
            made = self.of(WORD, count)
            if count < 8 or (
                any(c in LOWER for c in made) and any(c in UPPER for c in made) and any(c in DIGIT for c in made)
            ):
                return made

    def url(self, count):
        return self.word(1) + self.of(WORD + "-_", count - 2) + self.word(1)

    def hex(self, count):
        return self.of("0123456789abcdef", count)

    def digits(self, count):
        return self.of("123456789", 1) + self.of(DIGIT, count - 1)

    def bytes(self, count):
        return bytes(self.random.randrange(256) for _ in range(count))

    def base64(self, count):
        return base64.b64encode(self.bytes(count)).decode()

    def base64url(self, count):
        return base64.urlsafe_b64encode(self.bytes(count)).decode().rstrip("=")

    def uuid(self):
        return str(uuid.UUID(bytes=self.bytes(16), version=4))

    def any(self, *items):
        return self.random.choice(items)

    def crc62(self, prefix, count, digits=6):
        """A random part, then its CRC-32 in base 62, as GitHub and npm issue them."""
        body = self.word(count)
        value = binascii.crc32(body.encode())
        check = ""
        for _ in range(digits):
            check = BASE62[value % 62] + check
            value //= 62
        return prefix + body + check

    def json64(self, value):
        return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")

    def jwt(self):
        head = {"alg": self.any("RS256", "HS256", "ES256"), "typ": "JWT"}
        body = {"iss": "kubernetes/serviceaccount", "sub": self.word(12), "exp": 1700000000 + self.random.randrange(10**6)}
        return f"{self.json64(head)}.{self.json64(body)}.{self.base64url(32)}"


def own(name, key, make):
    return (name, key, True, make)


def keyed(name, key, make):
    return (name, key, False, make)


ISSUED = [
    own("github-classic", "GITHUB_TOKEN", lambda m: m.crc62(m.any("ghp_", "gho_", "ghs_", "ghu_", "ghr_"), 30)),
    own("github-fine-grained", "GH_PAT", lambda m: "github_pat_" + m.word(22) + "_" + m.word(59)),
    own("gitlab-personal", "GITLAB_TOKEN", lambda m: "glpat-" + m.url(20)),
    own("gitlab-runner", "RUNNER_TOKEN", lambda m: "glrt-" + m.url(20)),
    own("gitlab-deploy", "DEPLOY_TOKEN", lambda m: "gldt-" + m.url(20)),
    own("slack-bot", "SLACK_BOT_TOKEN", lambda m: f"xoxb-{m.digits(12)}-{m.digits(13)}-{m.word(24)}"),
    own("slack-user", "SLACK_TOKEN", lambda m: f"xoxp-{m.digits(12)}-{m.digits(12)}-{m.digits(12)}-{m.hex(32)}"),
    own("slack-app", "SLACK_APP_TOKEN", lambda m: f"xapp-1-A{m.of(UPPER + DIGIT, 10)}-{m.digits(13)}-{m.hex(64)}"),
    own("slack-webhook", "SLACK_URL", lambda m: f"https://hooks.slack.com/services/T{m.of(UPPER + DIGIT, 8)}/B{m.of(UPPER + DIGIT, 10)}/{m.word(24)}"),
    own("aws-access-key", "AWS_ACCESS_KEY_ID", lambda m: m.any("AKIA", "ASIA") + m.of(UPPER + "234567", 16)),
    keyed("aws-secret", "AWS_SECRET_ACCESS_KEY", lambda m: m.of(WORD + "/+", 40)),
    keyed("aws-session", "AWS_SESSION_TOKEN", lambda m: "IQoJb3JpZ2luX2Vj" + m.base64(180)),
    own("gcp-api-key", "GOOGLE_API_KEY", lambda m: "AIza" + m.of(WORD + "-_", 34) + m.word(1)),
    own("gcp-client-secret", "GOOGLE_CLIENT_SECRET", lambda m: "GOCSPX-" + m.url(28)),
    own("gcp-access-token", "ACCESS_TOKEN", lambda m: "ya29.a0" + m.url(160)),
    own("azure-storage", "AZURE_STORAGE_CONNECTION_STRING", lambda m: f"DefaultEndpointsProtocol=https;AccountName=st{m.of(LOWER, 8)};AccountKey={m.base64(64)};EndpointSuffix=core.windows.net"),
    own("azure-servicebus", "SB_CONNECTION", lambda m: f"Endpoint=sb://{m.of(LOWER, 8)}.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={m.base64(32)}"),
    own("azure-client-secret", "AZURE_CLIENT_SECRET", lambda m: m.word(3) + m.digits(1) + "Q~" + m.url(34)),
    own("azure-sas", "BLOB_URL", lambda m: f"https://st{m.of(LOWER, 6)}.blob.core.windows.net/c/f?sv=2022-11-02&sr=b&sp=r&sig={m.base64(32).replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}"),
    own("stripe-live", "STRIPE_KEY", lambda m: "sk_live_" + m.word(24)),
    own("stripe-restricted", "STRIPE_RESTRICTED", lambda m: "rk_live_" + m.word(99)),
    own("stripe-webhook", "STRIPE_WEBHOOK", lambda m: "whsec_" + m.word(32)),
    own("openai-project", "OPENAI_API_KEY", lambda m: f"sk-proj-{m.url(74)}T3BlbkFJ{m.url(74)}"),
    own("openai-legacy", "OPENAI_KEY", lambda m: f"sk-{m.word(20)}T3BlbkFJ{m.word(20)}"),
    own("anthropic", "ANTHROPIC_API_KEY", lambda m: f"sk-ant-api03-{m.url(93)}AA"),
    own("hugging-face", "HF_TOKEN", lambda m: "hf_" + m.of(LOWER + UPPER, 34)),
    own("groq", "GROQ_API_KEY", lambda m: "gsk_" + m.word(52)),
    own("replicate", "REPLICATE_API_TOKEN", lambda m: "r8_" + m.word(37)),
    own("npm", "NPM_TOKEN", lambda m: m.crc62("npm_", 30)),
    own("pypi", "PYPI_TOKEN", lambda m: "pypi-AgEIcHlwaS5vcmcC" + m.base64url(110)),
    own("rubygems", "GEM_HOST_API_KEY", lambda m: "rubygems_" + m.hex(48)),
    own("docker-hub", "DOCKER_TOKEN", lambda m: "dckr_pat_" + m.url(27)),
    own("digitalocean", "DO_TOKEN", lambda m: "dop_v1_" + m.hex(64)),
    own("databricks", "DATABRICKS_TOKEN", lambda m: "dapi" + m.hex(32)),
    own("grafana-service", "GRAFANA_TOKEN", lambda m: f"glsa_{m.word(32)}_{m.hex(8)}"),
    own("grafana-cloud", "GRAFANA_CLOUD", lambda m: "glc_" + m.json64({"o": m.digits(6), "n": "stack", "k": m.word(24), "m": {"r": "eu"}})),
    own("new-relic", "NEW_RELIC_API_KEY", lambda m: "NRAK-" + m.of(UPPER + DIGIT, 27)),
    own("sentry", "SENTRY_AUTH_TOKEN", lambda m: f"sntrys_{m.json64({'iat': 1700000000, 'url': 'https://sentry.io', 'org': 'acme'})}_{m.word(43)}"),
    own("pulumi", "PULUMI_ACCESS_TOKEN", lambda m: "pul-" + m.hex(40)),
    own("postman", "POSTMAN_API_KEY", lambda m: f"PMAK-{m.hex(24)}-{m.hex(34)}"),
    own("linear", "LINEAR_API_KEY", lambda m: "lin_api_" + m.word(40)),
    own("atlassian", "JIRA_TOKEN", lambda m: f"ATATT3xFfGF0{m.url(170)}={m.of('0123456789ABCDEF', 8)}"),
    own("shopify", "SHOPIFY_TOKEN", lambda m: "shpat_" + m.hex(32)),
    own("sendgrid", "SENDGRID_API_KEY", lambda m: f"SG.{m.url(22)}.{m.url(43)}"),
    own("mailchimp", "MAILCHIMP_API_KEY", lambda m: f"{m.hex(32)}-us{m.digits(2)}"),
    keyed("mailgun", "MAILGUN_API_KEY", lambda m: "key-" + m.hex(32)),
    own("twilio-key", "TWILIO_API_KEY", lambda m: "SK" + m.hex(32)),
    keyed("twilio-auth", "TWILIO_AUTH_TOKEN", lambda m: m.hex(32)),
    own("telegram", "TELEGRAM_BOT_TOKEN", lambda m: f"{m.digits(10)}:AA{m.url(33)}"),
    own("discord-webhook", "DISCORD_URL", lambda m: f"https://discord.com/api/webhooks/{m.digits(19)}/{m.url(68)}"),
    own("terraform-cloud", "TFE_TOKEN", lambda m: f"{m.word(14)}.atlasv1.{m.word(67)}"),
    own("vault-service", "VAULT_TOKEN", lambda m: "hvs.CAESI" + m.url(90)),
    own("vault-batch", "VAULT_TOKEN", lambda m: "hvb.AAAAAQ" + m.url(140)),
    keyed("consul", "CONSUL_HTTP_TOKEN", lambda m: m.uuid()),
    own("age-key", "AGE_KEY", lambda m: "AGE-SECRET-KEY-1" + m.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
    own("openshift", "OC_TOKEN", lambda m: "sha256~" + m.url(43)),
    own("k3s-join", "K3S_TOKEN", lambda m: f"K10{m.hex(64)}::server:{m.hex(32)}"),
    own("rancher", "RANCHER_TOKEN", lambda m: f"token-{m.of(LOWER + DIGIT, 5)}:{m.of(LOWER + DIGIT, 54)}"),
    own("jwt", "ID_TOKEN", lambda m: m.jwt()),
    own("teams-webhook", "TEAMS_URL", lambda m: f"https://{m.of(LOWER, 6)}.webhook.office.com/webhookb2/{m.uuid()}@{m.uuid()}/IncomingWebhook/{m.hex(32)}/{m.uuid()}"),
    own("dynatrace", "DT_API_TOKEN", lambda m: f"dt0c01.{m.of(UPPER + DIGIT, 24)}.{m.of(UPPER + DIGIT, 64)}"),
    keyed("datadog-api", "DD_API_KEY", lambda m: m.hex(32)),
    keyed("datadog-app", "DD_APP_KEY", lambda m: m.hex(40)),
    own("artifactory", "ARTIFACTORY_API_KEY", lambda m: "AKCp" + m.word(69)),
    own("cloudflare-ca", "CF_ORIGIN_CA_KEY", lambda m: f"v1.0-{m.hex(24)}-{m.hex(146)}"),
    keyed("cloudflare-api", "CLOUDFLARE_API_TOKEN", lambda m: m.url(40)),
    own("tailscale", "TS_AUTHKEY", lambda m: f"tskey-auth-{m.word(12)}CNTRL-{m.word(32)}"),
    keyed("pagerduty", "PAGERDUTY_API_KEY", lambda m: "u+" + m.url(18)),
    keyed("splunk-hec", "SPLUNK_HEC_TOKEN", lambda m: m.uuid()),
    own("elastic-api-key", "Authorization", lambda m: "ApiKey " + base64.b64encode(f"{m.url(20)}:{m.url(22)}".encode()).decode()),
]

DOCUMENTED = [
    own("adafruit", "AIO_KEY", lambda m: "aio_" + m.word(28)),
    own("airtable", "AIRTABLE_TOKEN", lambda m: f"pat{m.word(14)}.{m.hex(64)}"),
    own("alibaba", "ALIBABA_ACCESS_KEY_ID", lambda m: "LTAI" + m.word(20)),
    own("tencent", "TENCENT_SECRET_ID", lambda m: "AKID" + m.word(32)),
    own("1password-service", "OP_SERVICE_ACCOUNT_TOKEN", lambda m: "ops_" + m.json64({"signInAddress": "my.1password.com", "userAuth": {"method": "SRPg-4096", "alg": "PBES2g-HS256", "iterations": 650000, "salt": m.base64url(16)}, "email": m.word(12) + "@1passwordserviceaccounts.com", "srpX": m.hex(64), "muk": {"alg": "A256GCM", "k": m.base64url(32)}})),
    own("asana", "ASANA_TOKEN", lambda m: f"2/{m.digits(16)}/{m.digits(16)}:{m.hex(32)}"),
    own("azure-devops", "AZDO_PAT", lambda m: m.word(76) + "AZDO" + m.word(4)),
    own("bitbucket-app", "BITBUCKET_APP_PASSWORD", lambda m: "ATBB" + m.word(24) + m.of("0123456789ABCDEF", 8)),
    own("braintree", "BRAINTREE_TOKEN", lambda m: f"access_token$production${m.of(LOWER + DIGIT, 16)}${m.hex(32)}"),
    own("brevo", "BREVO_KEY", lambda m: f"xkeysib-{m.hex(64)}-{m.word(16)}"),
    own("buildkite", "BUILDKITE_TOKEN", lambda m: "bkua_" + m.hex(40)),
    own("clojars", "CLOJARS_TOKEN", lambda m: "CLOJARS_" + m.hex(60)),
    own("contentful", "CONTENTFUL_PAT", lambda m: "CFPAT-" + m.url(43)),
    own("crates-io", "CARGO_REGISTRY_TOKEN", lambda m: "cio" + m.word(32)),
    own("defined-networking", "DN_TOKEN", lambda m: f"dnkey-{m.of(LOWER + DIGIT + '-_', 26)}-{m.of(LOWER + DIGIT + '-_', 52)}"),
    own("deno", "DENO_TOKEN", lambda m: "ddp_" + m.word(36)),
    own("doppler", "DOPPLER_TOKEN", lambda m: "dp.pt." + m.word(43)),
    own("duffel", "DUFFEL_TOKEN", lambda m: "duffel_live_" + m.url(43)),
    own("easypost", "EASYPOST_KEY", lambda m: "EZAK" + m.word(54)),
    own("facebook", "FB_TOKEN", lambda m: "EAAG" + m.word(160)),
    own("figma", "FIGMA_TOKEN", lambda m: "figd_" + m.url(40)),
    own("flutterwave", "FLW_KEY", lambda m: f"FLWSECK-{m.hex(32)}-X"),
    own("fly-io", "FLY_API_TOKEN", lambda m: "fo1_" + m.url(43)),
    own("frame-io", "FRAMEIO_TOKEN", lambda m: "fio-u-" + m.url(64)),
    own("gocardless", "GOCARDLESS_TOKEN", lambda m: "live_" + m.url(40)),
    own("harness", "HARNESS_TOKEN", lambda m: f"pat.{m.word(22)}.{m.hex(24)}.{m.word(20)}"),
    own("heroku", "HEROKU_API_KEY", lambda m: "HRKU-AA" + m.url(58)),
    own("hubspot", "HUBSPOT_TOKEN", lambda m: f"pat-na1-{m.uuid()}"),
    own("infracost", "INFRACOST_KEY", lambda m: "ico-" + m.word(32)),
    own("intercom", "INTERCOM_TOKEN", lambda m: "dG9rO" + m.base64(39) + "="),
    own("langfuse", "LANGFUSE_SECRET_KEY", lambda m: f"sk-lf-{m.uuid()}"),
    own("launchdarkly", "LD_SDK_KEY", lambda m: f"sdk-{m.uuid()}"),
    own("lob", "LOB_KEY", lambda m: "live_" + m.hex(35)),
    own("mapbox", "MAPBOX_TOKEN", lambda m: f"sk.{m.json64({'u': 'acme', 'a': m.of(LOWER + DIGIT, 25)})}.{m.url(22)}"),
    own("maxmind", "MAXMIND_KEY", lambda m: f"{m.word(6)}_{m.word(29)}_mmk"),
    own("microsoft-search", "AZURE_SEARCH_KEY", lambda m: m.word(42) + "AzSe" + m.word(6)),
    own("netlify", "NETLIFY_TOKEN", lambda m: "nfp_" + m.word(36)),
    own("new-relic-insert", "NR_INSERT", lambda m: "NRII-" + m.url(32)),
    own("notion", "NOTION_TOKEN", lambda m: f"ntn_{m.digits(11)}{m.word(35)}"),
    own("nuget", "NUGET_KEY", lambda m: "oy2" + m.of(LOWER + DIGIT, 43)),
    own("octopus", "OCTOPUS_KEY", lambda m: "API-" + m.of(UPPER + DIGIT, 26)),
    own("openrouter", "OPENROUTER_KEY", lambda m: "sk-or-v1-" + m.hex(64)),
    own("perplexity", "PPLX_KEY", lambda m: "pplx-" + m.word(48)),
    own("plaid", "PLAID_TOKEN", lambda m: f"access-production-{m.uuid()}"),
    own("planetscale", "PSCALE_PASSWORD", lambda m: "pscale_pw_" + m.url(43)),
    own("prefect", "PREFECT_KEY", lambda m: "pnu_" + m.of(LOWER + DIGIT, 36)),
    own("readme", "README_KEY", lambda m: "rdme_" + m.of(LOWER + DIGIT, 70)),
    own("scalingo", "SCALINGO_TOKEN", lambda m: "tk-us-" + m.url(48)),
    own("settlemint", "SETTLEMINT", lambda m: "sm_aat_" + m.word(16)),
    own("shippo", "SHIPPO_TOKEN", lambda m: "shippo_live_" + m.hex(40)),
    own("sonarqube", "SONAR_TOKEN", lambda m: "squ_" + m.hex(40)),
    own("sourcegraph", "SRC_ACCESS_TOKEN", lambda m: f"sgp_{m.hex(16)}_{m.hex(40)}"),
    own("square", "SQUARE_TOKEN", lambda m: "sq0atp-" + m.url(22)),
    own("square-secret", "SQUARE_SECRET", lambda m: "sq0csp-" + m.url(43)),
    own("supabase", "SUPABASE_TOKEN", lambda m: "sbp_" + m.hex(40)),
    own("typeform", "TYPEFORM_TOKEN", lambda m: "tfp_" + m.url(59)),
    own("vercel-blob", "BLOB_READ_WRITE_TOKEN", lambda m: f"vercel_blob_rw_{m.word(16)}_{m.word(30)}"),
    own("weights-biases", "WANDB_API_KEY", lambda m: "wandb_v1_" + m.url(77)),
    own("xai", "XAI_API_KEY", lambda m: "xai-" + m.word(80)),
    own("yandex", "YC_TOKEN", lambda m: "AQVN" + m.url(36)),
    own("zapier-webhook", "ZAPIER_URL", lambda m: f"https://hooks.zapier.com/hooks/catch/{m.digits(8)}/{m.of(LOWER + DIGIT, 7)}/"),
    keyed("postmark-like-uuid", "POSTMARK_SERVER_TOKEN", lambda m: m.uuid()),
    keyed("okta", "OKTA_API_TOKEN", lambda m: "00" + m.url(40)),
    keyed("fastly", "FASTLY_API_TOKEN", lambda m: m.url(32)),
    keyed("algolia", "ALGOLIA_API_KEY", lambda m: m.hex(32)),
    keyed("codecov", "CODECOV_TOKEN", lambda m: m.uuid()),
    keyed("snyk", "SNYK_TOKEN", lambda m: m.uuid()),
    keyed("travis", "TRAVIS_TOKEN", lambda m: m.word(22)),
    keyed("bitbucket-client", "BITBUCKET_CLIENT_SECRET", lambda m: m.word(32)),
    keyed("kraken", "KRAKEN_SECRET_KEY", lambda m: m.base64(64)),
]

# A third round, written when the rules were done and never used to mend them: what it shows is how a format fares
# that nobody prepared for.
LATER = [
    keyed("mistral-like-key", "MISTRAL_API_KEY", lambda m: m.word(32)),
    keyed("deepl", "DEEPL_AUTH_KEY", lambda m: m.uuid() + ":fx"),
    keyed("opsgenie", "OPSGENIE_API_KEY", lambda m: m.uuid()),
    keyed("zendesk", "ZENDESK_API_TOKEN", lambda m: m.word(40)),
    keyed("sumologic", "SUMO_ACCESS_KEY", lambda m: m.word(64)),
    keyed("loggly", "LOGGLY_TOKEN", lambda m: m.uuid()),
    keyed("rollbar", "ROLLBAR_ACCESS_TOKEN", lambda m: m.hex(32)),
    keyed("bugsnag", "BUGSNAG_API_KEY", lambda m: m.hex(32)),
    keyed("honeycomb", "HONEYCOMB_API_KEY", lambda m: m.word(22)),
    keyed("ngrok", "NGROK_AUTHTOKEN", lambda m: m.word(27) + "_" + m.word(21)),
    keyed("backblaze", "B2_APPLICATION_KEY", lambda m: "K00" + m.word(28)),
    keyed("linode", "LINODE_TOKEN", lambda m: m.hex(64)),
    keyed("vultr", "VULTR_API_KEY", lambda m: m.of(UPPER + DIGIT, 36)),
    keyed("hetzner", "HCLOUD_TOKEN", lambda m: m.word(64)),
    keyed("scaleway", "SCW_SECRET_KEY", lambda m: m.uuid()),
    keyed("ovh", "OVH_APPLICATION_SECRET", lambda m: m.hex(32)),
    keyed("minio", "MINIO_SECRET_KEY", lambda m: m.word(40)),
    keyed("etcd", "ETCD_ROOT_PASSWORD", lambda m: m.word(12)),
    keyed("keycloak", "KC_BOOTSTRAP_ADMIN_PASSWORD", lambda m: m.word(14)),
    keyed("gitea-internal", "INTERNAL_TOKEN", lambda m: m.jwt()),
    keyed("laravel", "APP_KEY", lambda m: "base64:" + m.base64(32)),
    keyed("django", "SECRET_KEY", lambda m: "django-insecure-" + m.of(LOWER + DIGIT + "!@#$%^&*(-_=+)", 50)),
    keyed("nats-seed", "NATS_NKEY_SEED", lambda m: "SUA" + m.of(UPPER + "234567", 55)),
    own("langsmith", "LANGSMITH_API_KEY", lambda m: f"lsv2_pt_{m.hex(32)}_{m.hex(10)}"),
    keyed("cohere-like", "CO_API_KEY", lambda m: m.word(40)),
    own("pinecone", "PINECONE_API_KEY", lambda m: f"pcsk_{m.word(6)}_{m.word(63)}"),
    own("resend", "RESEND_API_KEY", lambda m: f"re_{m.word(8)}_{m.word(24)}"),
    own("clerk", "CLERK_SECRET_KEY", lambda m: "sk_live_" + m.word(42)),
    own("hashnode-like-ghost", "GHOST_ADMIN_KEY", lambda m: f"{m.hex(24)}:{m.hex(64)}"),
    own("dropbox-short", "DROPBOX_TOKEN", lambda m: "sl." + m.url(140)),
    own("gitlab-ci-job", "CI_JOB_TOKEN", lambda m: "glcbt-64_" + m.url(20)),
    own("gcp-refresh", "REFRESH_TOKEN", lambda m: "1//0" + m.url(98)),
    own("jfrog-reference", "JF_ACCESS_TOKEN", lambda m: "cmVmdGtuOjAxOj" + m.word(50)),
    keyed("teleport-like", "AUTH_SERVER_TOKEN", lambda m: m.hex(32)),
    own("convex", "CONVEX_DEPLOY_KEY", lambda m: f"prod:quick-fox-123|{m.base64(60)}"),
    keyed("nomad-like", "NOMAD_TOKEN", lambda m: m.uuid()),
]
