// A step of a shared library: atcrVerify(images: ['registry.example.com/app:1'], policy: 'trust-policy.yaml')
// atcr-verify must be in the agent's PATH. The stage fails unless every image is allowed.
def call(Map options) {
    def variables = [
        "ATCR_IMAGES=${(options.images ?: []).join(' ')}",
        "ATCR_FILES=${(options.files ?: []).join(' ')}",
        "ATCR_POLICY=${options.policy ?: ''}",
    ]
    try {
        withEnv(variables) {
            sh '''
                set -f --
                for file in $ATCR_FILES; do set -- "$@" --file "$file"; done
                [ -z "$ATCR_POLICY" ] || set -- "$@" --policy "$ATCR_POLICY"
                atcr-verify verify --output junit "$@" -- $ATCR_IMAGES >atcr-verify.xml || status=$?
                cat atcr-verify.xml
                exit "${status:-0}"
            '''
        }
    } finally {
        junit testResults: 'atcr-verify.xml', allowEmptyResults: false
    }
}
