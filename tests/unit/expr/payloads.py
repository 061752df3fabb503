"""Template injections for other engines, and what they look for."""

PYTHON = """
''.__class__.__mro__[1].__subclasses__()
''.__class__.__base__.__subclasses__()
[].__class__.__base__
().__class__.__bases__[0]
{}.__class__
(1).__class__
config
config.items()
config.__class__.__init__.__globals__['os'].popen('id').read()
self
self.__init__.__globals__.__builtins__
self._TemplateReference__context.cycler.__init__.__globals__.os
request
request.application.__globals__.__builtins__.__import__('os').popen('id').read()
request['application']['__globals__']
cycler.__init__.__globals__.os.popen('id').read()
joiner.__init__.__globals__.os
namespace.__init__.__globals__.os
lipsum.__globals__['os'].popen('id').read()
lipsum.__globals__.os
url_for.__globals__
get_flashed_messages.__globals__.__builtins__.open('/etc/passwd').read()
x.__init__.__globals__
x.__class__
x.__dict__
x.__reduce__()
x.__getattribute__('__class__')
x['__class__']
x|attr('__class__')
x|attr('\\x5f\\x5fclass\\x5f\\x5f')
x|map(attribute='__class__')|list
rows|map('upper')
rows|groupby('__class__')
'abc'.format(x)
'{0.__class__}'.format(x)
'{0.__class__.__init__.__globals__}'.format(x)
'%s' % x
'%(x)s' % x
f'{x}'
eval('1+1')
exec('import os')
__import__('os').system('id')
open('/etc/passwd').read()
dict.__base__
range.__class__
range(1, 3).__class__
upper.__globals__
text.upper.__globals__
text.__len__()
text.encode('utf8')
text.format_map(x)
text.join(rows)
text.translate(x)
rows.append(1)
rows.__setitem__(0, 1)
rows.pop()
rows.clear()
rows.sort()
m.items()
m.pop('k')
m.update({'k': 2})
m.setdefault('z', 1)
m.__class__
m.popitem()
n.real
n.bit_length()
n.to_bytes(8, 'big')
f.as_integer_ratio()
when.strftime('%Y')
when.__class__
when.epoch_day
when.instant.seconds
when.local
when.zone._rules
lazy._raw
lazy.render
_context
_context.host
template
s.host
host
host.settings
meter
"""

JAVA = """
text.getClass()
text.class
text.getClass().forName('java.lang.Runtime')
text.class.forName('java.lang.Runtime').getRuntime().exec('id')
(1).TYPE.forName('java.lang.Runtime')
beans.get('x')
variable.getClass().forName('java.lang.Runtime').getMethods()[6].invoke(null, null)
rows.getClass().getProtectionDomain()
m.getClass()
m.class.classLoader
n.class
text.wait()
text.notify()
text.notifyAll()
rows.iterator().next()
rows.stream()
rows.toArray()
rows.add('x')
rows.remove('x')
m.put('k', 'v')
m.remove('k')
m.forEach(x)
m.clone()
T(java.lang.Runtime).getRuntime().exec('id')
T(java.lang.System).getenv()
new java.lang.ProcessBuilder('id').start()
new('java.lang.String')
@java.lang.Runtime@getRuntime().exec('id')
#rt = @java.lang.Runtime@getRuntime()
(#a=1).(#b=2)
%{1+1}
${7*7}
#{7*7}
*{7*7}
@{7*7}
~{7*7}
'freemarker.template.utility.Execute'?new()('id')
text?api.class
object?api.class.getResource('/').getPath()
text?eval
text?interpret
#set($x=1)
$class.inspect('java.lang.Runtime')
$x.class.forName('java.lang.Runtime')
applicationScope
pageContext
sessionScope.toString()
request.getClass()
''.getClass().forName('java.lang.Runtime')
''['class']
text['class']
text['getClass']
text['getClass']()
'a'.getClass().getModule()
(''|first).getClass()
[].getClass()
systemProperties['user.home']
facesContext.externalContext
param.x
java.lang.Runtime.getRuntime()
"""

OTHERS = """
_self
_self.env.setCache('ftp://x')
_self.env.registerUndefinedFilterCallback('exec')
_self.env.getFilter('id')
['id']|filter('system')
['id',0]|sort('system')|join
['id']|map('system')|join
['cat /etc/passwd']|reduce('system')
app.request.server.all|join(',')
dump(app)
dump()
constant('PHP_VERSION')
include('/etc/passwd')
source('/etc/passwd')
attribute(_context, 'x')
block('x', 'other')
parent()
phpinfo()
system('id')
passthru('id')
file_get_contents('/etc/passwd')
{php}echo 1{/php}
$smarty.version
{literal}x{/literal}
<%= 7*7 %>
<%= system('id') %>
<% import os %>
${self.module.cache.util.os.popen('id').read()}
${__import__('os').popen('id').read()}
#include <x>
constructor.constructor('return process')()
this.constructor
''.constructor.prototype
range.constructor('return global.process.env')()
global.process.mainModule.require('child_process')
process.env
require('fs')
#with 'x' as |string|
lookup . 'constructor'
{{7*7}}
{{{7*7}}}
{%7*7%}
[[7*7]]
[% 7*7 %]
{7*7}
@(7*7)
=7*7
\\u007b\\u007b7*7\\u007d\\u007d
{!7*7!}
{{=<% %>=}}
a` `id`
$(id)
|| id
; id
' OR 1=1 --
\"; DROP TABLE x; --
../../../../etc/passwd
file:///etc/passwd
http://169.254.169.254/latest/meta-data
env.HOME
env('HOME')
ENV['HOME']
read('/etc/passwd')
read('file:///etc/passwd')
read('../../etc/passwd')
fileURI('../../etc/passwd')
fileSize('/etc/passwd')
http('http://169.254.169.254/')
http(uri='file:///etc/passwd')
secret('ANY')
kv('any')
errorLogs()
jq('.')
x|jq('env')
x|jq('$ENV')
x|jq('input')
x|jq('inputs')
x|jq('import \"a\" as a; .')
x|jq('include \"a\"; .')
x|jq('@sh \"\\(env.PATH)\"')
x|jq('input_filename')
x|jq('debug')
x|jq('halt')
x|jq('def f: f; f')
x|jq('[range(1e12)]')
x|jq('[repeat(.)]')
x|jq('last(range(1e12))')
x|jq('until(false; .)')
x|jq('reduce range(1e9) as $i (0; .)')
x|jq('\"a\" * 1e12')
x|jq('.[1e12] = 1')
x|jq('reduce range(64) as $i ([0]; . + .)')
x|jq('(\"a\" * 100) | test(\"(a+)+$b\")')
'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | split('(a+)+$')
'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | replace({'(a|a)*$': 'x'}, regexp=true)
'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | replace({'(.*)*x': 'y'}, true)
text.replaceAll('(x+x+)+y', 'z')
text.matches('(x+x+)+y')
'a' | split('(?:a){e<=100}')
'a' | replace({'(?P<n>a)': '$9'}, true)
range(1, 999999999999)
1..999999999999
range(1, 5, 0)
'a' | indent(999999999)
'x' | nindent(2, 'y')
1.5 | numberFormat('0000000000')
'1e999999999' | number
'1e999999999' | number('BIGDECIMAL')
('1e99999' | number('BIGDECIMAL')) + 1
'9' | number('BIGINTEGER') | string
nanoId(99999999)
nanoId(-5)
now('G' ~ 'G')
'2024-01-01' | dateAdd(999999999999, 'YEARS')
'2024-01-01' | dateAdd(9999999999999999, 'MILLENNIA')
'2024-01-01' | date('yyyy', timeZone='../../etc/passwd')
'2024-01-01' | date('yyyy', timeZone='/etc/localtime')
'2024-01-01' | date('yyyy', locale='../x')
render('{' ~ '{ render(render) }' ~ '}')
render(x)
printContext()
fetchContext().lazy
fetchContext()['lazy']
yaml('!!python/object/apply:os.system [id]')
yaml('&a [*a]')
fromJson('[[[[[[')
fromIon('{{!!!}}')
decrypt('x', 'y')
encrypt('', 'x')
appLink('../..', baseUrl='javascript:alert(1)')
"""

STATEMENTS = """
{% import 'os' as os %}{{ os.system('id') }}
{% from 'os' import system %}
{% include '/etc/passwd' %}
{% include 'file:///etc/passwd' %}
{% extends 'x' %}
{% embed 'x' %}{% endembed %}
{% set x = ''.__class__ %}{{ x }}
{% set x = text.class %}{{ x }}
{% for c in [].__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}
{% for x in ().__class__.__bases__ %}{% endfor %}
{% if ''.__class__ %}x{% endif %}
{% if request.application %}x{% endif %}
{% with x = 1 %}{% endwith %}
{% call f() %}{% endcall %}
{% do x %}
{% debug %}
{% exec 'id' %}
{% raw %}{{ ''.__class__ }}{% endraw %}
{% verbatim %}{{ ''.__class__ }}{% endverbatim %}
{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}
{% macro f(x) %}{{ x.__class__ }}{% endmacro %}{{ f(text) }}
{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}
{% block a %}{{ block('a') }}{% endblock %}
{% filter __class__ %}x{% endfilter %}
{% filter upper | jq('env') %}[]{% endfilter %}
{% for a in 1..999999 %}{% for b in 1..999999 %}{% endfor %}{% endfor %}
{% set a = 'x' %}{% for i in 1..100 %}{% set a = a ~ a %}{% endfor %}{{ a | length }}
{% set a = [1] %}{% for i in 1..100 %}{% set a = a + a %}{% endfor %}{{ a | length }}
{% set a = [1] %}{% for i in 1..100 %}{% set a = [a, a] %}{% endfor %}{{ a }}
{% set a = [1] %}{% for i in 1..100 %}{% set a = [a, a] %}{% endfor %}{{ a ~ '' }}
{% set a = [1] %}{% for i in 1..100 %}{% set a = [a, a] %}{% endfor %}{{ a | yaml }}
{% set a = [1] %}{% for i in 1..100 %}{% set a = [a, a] %}{% endfor %}{{ a | toIon }}
{% set a = [1] %}{% for i in 1..100 %}{% set a = [a, a] %}{% endfor %}{{ a | jq('.') }}
{% set a = [1] %}{% set b = [1] %}{% for i in 1..100 %}{% set a = [a, a] %}{% set b = [b, b] %}{% endfor %}{{ a == b }}
{% set a = [1] %}{% for i in 1..100 %}{% set a = [a, a] %}{% endfor %}{{ a | replace({'1': '2'}) }}
{% set a = [1] %}{% for i in 1..100 %}{% set a = [a, a] %}{% endfor %}{{ render(a) }}
{% set a = {} %}{% for i in 1..100 %}{% set a = {'a': a, 'b': a} %}{% endfor %}{{ a }}
{% set a = 'aaaaaaaaaa' %}{% for i in 1..50 %}{% set a = a | replace({'a': a}) %}{% endfor %}{{ a | length }}
{% set a = [1] %}{{ a + [a] }}{{ a + [a] }}{{ a }}
{% set a = 'x' | replace({'x': '{{'}) %}{{ render(a ~ ' loop }}') }}
{% for i in 1..1000 %}{{ printContext() }}{% endfor %}
"""

NESTED = ["{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "{{ " + "[" * 500 + "]" * 500 + " }}"]
NESTED += [
    "{{ " + "-" * 500 + "1 }}",
    "{{ " + "not " * 500 + "true }}",
    "{{ 1" + " + 1" * 5000 + " }}",
]
NESTED += [
    "{{ x" + ".x" * 5000 + " }}",
    "{{ x" + " | upper" * 5000 + " }}",
    "{{ x" + " ?? x" * 5000 + " }}",
]
NESTED += [
    "{% if true %}" * 500 + "x" + "{% endif %}" * 500,
    "{{ true" + " ? true : false" * 500 + " }}",
]
NESTED += ['{{ "' + '#{"' * 500 + '"}' * 500 + '" }}', "{{ 'a'" + " ~ 'a'" * 20000 + " }}"]

EXPRESSIONS = [line for text in (PYTHON, JAVA, OTHERS) for line in text.strip().splitlines()]
PAYLOADS = (
    [f"{{{{ {line} }}}}" for line in EXPRESSIONS]
    + [f"{{{{{line}}}}}" for line in PYTHON.strip().splitlines()]
    + [f"{{% set y = {line} %}}{{{{ y }}}}" for line in JAVA.strip().splitlines()]
    + STATEMENTS.strip().splitlines()
    + NESTED
)
