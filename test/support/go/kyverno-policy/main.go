// Command kyverno-policy judges objects by the expressions of a ValidatingPolicy of Kyverno, with cel-go, which Kyverno uses,
// its options (kyverno/sdk, extensions/cel/compiler/env.go) and stand-ins for what its functions reach. For each line on
// standard input, a policy and cases, it writes one line on standard output, with an answer to each.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

type question struct {
	Variables []struct {
		Name       string `json:"name"`
		Expression string `json:"expression"`
	} `json:"variables"`
	Validations []struct {
		Expression        string `json:"expression"`
		Message           string `json:"message"`
		MessageExpression string `json:"messageExpression"`
	} `json:"validations"`
	Cases []one `json:"cases"`
}

type one struct {
	Operation string         `json:"operation"`
	Object    map[string]any `json:"object"`
	OldObject map[string]any `json:"oldObject"`
	// What the server answers to http.Post; nil where there is no connection.
	Answer map[string]any `json:"answer"`
	// What resource.Get returns.
	Resource map[string]any `json:"resource"`
}

// What a case is asked about: `sent` are the data of http.Post.
type answer struct {
	Refusal string `json:"refusal,omitempty"`
	Sent    []any  `json:"sent,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<22)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		err := json.Unmarshal(lines.Bytes(), &asked)
		answers := make([]answer, len(asked.Cases))
		for i := 0; err == nil && i < len(asked.Cases); i++ {
			answers[i], err = judge(asked, asked.Cases[i])
		}
		if err == nil {
			err = out.Encode(answers)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// judge fails where an expression does not compile.
func judge(asked question, about one) (answer, error) {
	var found answer
	environment, err := environmentOf(about, &found)
	if err != nil {
		return found, err
	}
	variables := map[string]any{}
	object := map[string]any{"object": about.Object, "oldObject": about.OldObject, "variables": variables,
		"request": map[string]any{"operation": about.Operation}, "http": "http", "resource": "resource"}
	evaluate := func(expression string) (ref.Val, error) {
		ast, issues := environment.Compile(expression)
		if issues.Err() != nil {
			return nil, fmt.Errorf("%s: %w", expression, issues.Err())
		}
		program, err := environment.Program(ast)
		if err != nil {
			return nil, err
		}
		value, _, err := program.Eval(object)
		if err != nil {
			return types.WrapErr(err), nil
		}
		return value, nil
	}
	// Kyverno evaluates a variable when it is first read. An error, or a request that was not needed, counts only then.
	for _, variable := range asked.Variables {
		if variables[variable.Name], err = evaluate(variable.Expression); err != nil {
			return found, err
		}
	}
	for _, validation := range asked.Validations {
		value, err := evaluate(validation.Expression)
		if err != nil {
			return found, err
		}
		if value == types.True {
			continue
		}
		found.Refusal = validation.Message
		if types.IsError(value) {
			found.Refusal = fmt.Sprintf("error: %v", value)
		} else if validation.MessageExpression != "" {
			message, err := evaluate(validation.MessageExpression)
			if err != nil {
				return found, err
			}
			found.Refusal = fmt.Sprint(message)
		}
		return found, nil
	}
	return found, nil
}

func environmentOf(about one, found *answer) (*cel.Env, error) {
	native := types.DefaultTypeAdapter.NativeToValue
	object := cel.MapType(cel.StringType, cel.DynType)
	headers := cel.MapType(cel.StringType, cel.StringType)
	text := cel.StringType
	client := func(http, _ ref.Val) ref.Val { return http }
	post := func(args ...ref.Val) ref.Val {
		data, err := args[2].ConvertToNative(types.JSONValueType)
		if err != nil {
			return types.WrapErr(err)
		}
		found.Sent = append(found.Sent, data)
		if about.Answer == nil {
			return types.NewErr("request failed: no connection")
		}
		// As kyverno/sdk does: the status is an int beside the fields of the answer.
		if status, ok := about.Answer["statusCode"].(float64); ok {
			about.Answer["statusCode"] = int(status)
		}
		return native(about.Answer)
	}
	get := func(...ref.Val) ref.Val { return native(about.Resource) }
	return cel.NewEnv(
		cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Bindings(), ext.Encoders(), ext.Lists(), ext.Math(),
		ext.Protos(), ext.Sets(), ext.Strings(),
		cel.Variable("object", object), cel.Variable("oldObject", object), cel.Variable("request", object),
		cel.Variable("variables", object), cel.Variable("http", cel.DynType), cel.Variable("resource", cel.DynType),
		cel.Function("Client", cel.MemberOverload("client", []*cel.Type{cel.DynType, text}, cel.DynType, cel.BinaryBinding(client))),
		cel.Function("Post", cel.MemberOverload("post", []*cel.Type{cel.DynType, text, cel.AnyType, headers}, cel.AnyType, cel.FunctionBinding(post))),
		cel.Function("Get", cel.MemberOverload("get", []*cel.Type{cel.DynType, text, text, text, text}, object, cel.FunctionBinding(get))),
	)
}
