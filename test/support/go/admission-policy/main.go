// Command admission-policy judges pods by a ValidatingAdmissionPolicy as Kubernetes' own API server library does. For each
// line on standard input, a policy and requests, it writes one line on standard output, with an answer to each.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	registration "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	apicel "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
)

// A request about a pod, which is read as the API server reads it: unknown fields are dropped.
type request struct {
	Operation   admission.Operation `json:"operation"`
	SubResource string              `json:"subResource"`
	Object      *core.Pod           `json:"object"`
	OldObject   *core.Pod           `json:"oldObject"`
}

type question struct {
	Policy   registration.ValidatingAdmissionPolicy `json:"policy"`
	Requests []request                              `json:"requests"`
}

type answer struct {
	// Of the first validation that does not admit; empty where all do.
	Evaluation string `json:"evaluation,omitempty"`
	Message    string `json:"message,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<22)
	if err := run(lines); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(lines *bufio.Scanner) error {
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		validator, err := compile(asked.Policy.Spec)
		if err != nil {
			return err
		}
		answers := make([]answer, len(asked.Requests))
		for i, one := range asked.Requests {
			answers[i] = judge(validator, one)
		}
		if err := out.Encode(answers); err != nil {
			return err
		}
	}
	return lines.Err()
}

// As compilePolicy of the library's plug-in, which is private.
func compile(spec registration.ValidatingAdmissionPolicySpec) (validating.Validator, error) {
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, err
	}
	optional := cel.OptionalVariableDeclarations{HasAuthorizer: true}
	variables := make([]cel.NamedExpressionAccessor, len(spec.Variables))
	for i, one := range spec.Variables {
		variables[i] = &validating.Variable{Name: one.Name, Expression: one.Expression}
	}
	compiler.CompileAndStoreVariables(variables, optional, environment.NewExpressions)
	validations := make([]cel.ExpressionAccessor, len(spec.Validations))
	messages := make([]cel.ExpressionAccessor, len(spec.Validations))
	for i, one := range spec.Validations {
		validations[i] = &validating.ValidationCondition{Expression: one.Expression, Message: one.Message, Reason: one.Reason}
		if one.MessageExpression != "" {
			messages[i] = &validating.MessageExpressionCondition{MessageExpression: one.MessageExpression}
		}
	}
	return validating.NewValidator(
		compiler.CompileCondition(validations, optional, environment.NewExpressions),
		nil,
		compiler.CompileCondition(nil, optional, environment.NewExpressions),
		compiler.CompileCondition(messages, cel.OptionalVariableDeclarations{}, environment.NewExpressions),
		spec.FailurePolicy,
		nil,
	), nil
}

func judge(validator validating.Validator, asked request) answer {
	kind := core.SchemeGroupVersion.WithKind("Pod")
	resource := core.SchemeGroupVersion.WithResource("pods")
	attributes := admission.NewAttributesRecord(object(asked.Object), object(asked.OldObject), kind, "shop", "pod", resource,
		asked.SubResource, asked.Operation, nil, false, &user.DefaultInfo{Name: "alice"})
	versioned := &admission.VersionedAttributes{
		Attributes: attributes, VersionedKind: kind, VersionedObject: object(asked.Object), VersionedOldObject: object(asked.OldObject),
	}
	result := validator.Validate(context.Background(), resource, versioned, nil, &core.Namespace{}, apicel.RuntimeCELCostBudget, nil)
	for _, decision := range result.Decisions {
		if decision.Action != validating.ActionAdmit {
			return answer{string(decision.Evaluation), decision.Message, string(decision.Reason)}
		}
	}
	return answer{}
}

func object(pod *core.Pod) runtime.Object {
	if pod == nil {
		return nil
	}
	return pod
}
