// Command opa-engine evaluates the Rego of a Gatekeeper ConstraintTemplate with Open Policy Agent's own engine. Its
// `external_data` behaves as Gatekeeper's, which is not in Debian. For each line on standard input it writes one line
// on standard output; what providers answered is cached from line to line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/types"
)

// question is one line of standard input.
type question struct {
	// Source of the template, and `v1` where it is written in that version of the language.
	Rego    string `json:"rego"`
	Version string `json:"version"`
	// Provider objects' `spec`, by name.
	Providers map[string]provider `json:"providers"`
	// The Constraint's `spec.parameters`.
	Parameters map[string]any `json:"parameters"`
	// What Gatekeeper calls `input.review`: a request of admission.
	Review map[string]any `json:"review"`
	// Gatekeeper's --external-data-provider-response-cache-ttl; 0 is off.
	CacheSeconds int `json:"cacheSeconds"`
}

type answer struct {
	// Messages of the violations. None means that the object is admitted.
	Violations []string `json:"violations"`
	// What external_data gave to the template, in order.
	External []external `json:"external"`
}

// As Gatekeeper asks for violations: what is undefined violates nothing.
const hooks = `package hooks

violation[response] {
  data.template.violation[found] with input as {"review": input.review, "parameters": input.parameters}
  response := {"msg": found.msg, "details": object.get(found, "details", {})}
}
`

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	output := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		evaluated, err := evaluate(lines.Bytes())
		if err == nil {
			err = output.Encode(evaluated)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "opa-engine:", err)
			os.Exit(1)
		}
	}
}

func evaluate(line []byte) (*answer, error) {
	asked := question{}
	if err := json.Unmarshal(line, &asked); err != nil {
		return nil, err
	}
	result := &answer{Violations: []string{}, External: []external{}}
	compiler, err := compile(asked)
	if err != nil {
		return nil, err
	}
	set, err := rego.New(
		rego.Compiler(compiler),
		rego.SetRegoVersion(ast.RegoV0),
		rego.Query("data.hooks.violation[result]"),
		rego.Input(map[string]any{"review": asked.Review, "parameters": asked.Parameters}),
		rego.Function1(declaration, func(ctx rego.BuiltinContext, argument *ast.Term) (*ast.Term, error) {
			return asked.externalData(ctx.Context, argument, result)
		}),
	).Eval(context.Background())
	if err != nil {
		// Gatekeeper makes a violation of what could not be evaluated.
		result.Violations = append(result.Violations, err.Error())
		return result, nil
	}
	for _, one := range set {
		violation, isObject := one.Bindings["result"].(map[string]any)
		message, isText := violation["msg"].(string)
		if !isObject || !isText {
			return nil, errors.New("a violation has no msg")
		}
		result.Violations = append(result.Violations, message)
	}
	return result, nil
}

var declaration = &rego.Function{
	Name:             "external_data",
	Decl:             types.NewFunction(types.Args(types.A), types.A),
	Nondeterministic: true,
}

// compile puts the template where Gatekeeper does, whatever its package is called, and without what Gatekeeper forbids.
func compile(asked question) (*ast.Compiler, error) {
	version := ast.RegoV0
	if asked.Version == "v1" {
		version = ast.RegoV1
	}
	template, err := ast.ParseModuleWithOpts("template", asked.Rego, ast.ParserOptions{RegoVersion: version})
	if err != nil {
		return nil, err
	}
	template.Package.Path = ast.MustParseRef("data.template")
	hook, err := ast.ParseModuleWithOpts("hooks", hooks, ast.ParserOptions{RegoVersion: ast.RegoV0})
	if err != nil {
		return nil, err
	}
	known := ast.CapabilitiesForThisVersion()
	allowed := []*ast.Builtin{{Name: declaration.Name, Decl: declaration.Decl, Nondeterministic: true}}
	for _, builtin := range known.Builtins {
		if builtin.Name != "http.send" {
			allowed = append(allowed, builtin)
		}
	}
	known.Builtins = allowed
	compiler := ast.NewCompiler().WithCapabilities(known)
	compiler.Compile(map[string]*ast.Module{"template": template, "hooks": hook})
	if compiler.Failed() {
		return nil, compiler.Errors
	}
	return compiler, nil
}
